ALTER TABLE credentials DROP COLUMN origin;
DROP INDEX tokens_member;
ALTER TABLE tokens DROP COLUMN member;
