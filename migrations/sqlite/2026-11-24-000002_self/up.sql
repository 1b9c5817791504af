-- A token can be a member's own; then it opens /Me and nothing else. This is the permanent id of the member.
ALTER TABLE tokens ADD COLUMN member TEXT;
CREATE INDEX tokens_member ON tokens (tenant_id, member) WHERE member IS NOT NULL;

-- Where a password came from: the member chose it on the claim page, or it came over SCIM, perhaps before the account was claimed.
ALTER TABLE credentials ADD COLUMN origin TEXT NOT NULL DEFAULT 'claim' CHECK (origin IN ('claim', 'scim'));
