-- Settings of a tenant, as JSON; what is missing has its default.
ALTER TABLE tenants ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- The roll. A user is also a member: state 1 uninvited, 2 invited, 3 claimed, 4 quarantined (then prior is where it came from).
-- Kind 3 is a quarantined user that no identity provider sees, kind 4 what is left of one after anonymisation (state 5).
ALTER TABLE resources ADD COLUMN person TEXT;
ALTER TABLE resources ADD COLUMN state SMALLINT;
ALTER TABLE resources ADD COLUMN prior SMALLINT;
ALTER TABLE resources ADD COLUMN invited BOOLEAN;
ALTER TABLE resources ADD COLUMN ever_claimed BOOLEAN;
ALTER TABLE resources ADD COLUMN invited_at BIGINT;
ALTER TABLE resources ADD COLUMN claimed_at BIGINT;
ALTER TABLE resources ADD COLUMN quarantined_at BIGINT;
ALTER TABLE resources ADD COLUMN purge_at BIGINT;
ALTER TABLE resources ADD COLUMN warned_at BIGINT;
ALTER TABLE resources ADD COLUMN holds TEXT;
ALTER TABLE resources ADD COLUMN generation BIGINT;
ALTER TABLE resources ADD COLUMN legal_hold TEXT;
ALTER TABLE resources ADD COLUMN employee_key TEXT;
ALTER TABLE resources ADD COLUMN terminates_at BIGINT;
ALTER TABLE resources ADD COLUMN location_raw TEXT;
ALTER TABLE resources ADD COLUMN manager_ref TEXT;
ALTER TABLE resources ADD COLUMN admin BOOLEAN;
ALTER TABLE resources ADD COLUMN mail TEXT;

-- Users that were there before the roll: known to nobody but their identity provider.
UPDATE resources SET person = id, state = 1, invited = FALSE, ever_claimed = FALSE, generation = 0, admin = FALSE WHERE kind = 1;
UPDATE resources SET state = 4, prior = 1, quarantined_at = modified_at,
  purge_at = (CAST(strftime('%s', 'now') AS INTEGER) + 604800) * 1000000,
  holds = '[{"source":"scim","reason":"inactive","since":' || modified_at || '}]'
WHERE kind = 1 AND json_extract(doc, '$.active') = 0;

UPDATE resources SET
  mail = COALESCE(
    (SELECT json_extract(e.value, '$.value') FROM json_each(doc, '$.emails') e
     ORDER BY COALESCE(json_extract(e.value, '$.primary'), 0) DESC, e.key LIMIT 1),
    CASE WHEN json_extract(doc, '$.userName') LIKE '%_@_%' THEN json_extract(doc, '$.userName') END),
  employee_key = lower(json_extract(doc, '$."urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".employeeNumber')),
  admin = EXISTS (SELECT 1 FROM json_each(doc, '$.roles') r WHERE lower(json_extract(r.value, '$.value')) = 'admin')
WHERE kind = 1;

-- A user's document ends with our own extension; the roll's part of it is added when it is shown.
UPDATE resources SET doc = substr(rest, 1, length(rest) - 1) || ',"urn:ietf:params:scim:schemas:extension:rollbook:2.0:User":' || own || '}' FROM (
  SELECT tenant_id AS t, id AS i, json_remove(doc, '$."urn:ietf:params:scim:schemas:extension:rollbook:2.0:User"') AS rest,
    COALESCE(json_extract(doc, '$."urn:ietf:params:scim:schemas:extension:rollbook:2.0:User"'), '{}') AS own
  FROM resources WHERE kind = 1) old
WHERE kind = 1 AND tenant_id = old.t AND id = old.i;

CREATE UNIQUE INDEX resources_person ON resources (tenant_id, person) WHERE person <> id;
CREATE INDEX resources_employee ON resources (tenant_id, employee_key) WHERE employee_key IS NOT NULL;
CREATE INDEX resources_manager ON resources (tenant_id, manager) WHERE manager IS NOT NULL;
CREATE INDEX resources_manager_ref ON resources (tenant_id, manager_ref) WHERE manager_ref IS NOT NULL;
CREATE INDEX resources_location_raw ON resources (tenant_id, location_raw) WHERE location_raw IS NOT NULL;
CREATE INDEX resources_quarantined ON resources (quarantined_at, tenant_id, kind) WHERE quarantined_at IS NOT NULL;
CREATE INDEX resources_purge ON resources (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX resources_terminates ON resources (terminates_at) WHERE terminates_at IS NOT NULL;
CREATE INDEX resources_admin ON resources (tenant_id, admin) WHERE admin;

-- Links. The link itself is never stored: it is derived from tenant, person and generation.
CREATE TABLE invitations (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT NOT NULL,
  generation BIGINT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('live', 'used', 'superseded', 'revoked', 'expired')),
  hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at BIGINT,
  reminders SMALLINT NOT NULL,
  remind_at BIGINT,
  undeliverable TEXT,
  PRIMARY KEY (tenant_id, person, generation)
);
CREATE UNIQUE INDEX invitations_live ON invitations (tenant_id, person) WHERE state = 'live';
CREATE INDEX invitations_remind ON invitations (remind_at) WHERE remind_at IS NOT NULL;
CREATE INDEX invitations_expire ON invitations (expires_at) WHERE state = 'live';

-- Access codes: found by a keyed hash, kept encrypted so that a lost slip can be printed again.
CREATE TABLE access_codes (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT NOT NULL,
  lookup TEXT NOT NULL UNIQUE,
  sealed TEXT,
  state TEXT NOT NULL CHECK (state IN ('live', 'used', 'superseded', 'revoked', 'expired')),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE UNIQUE INDEX access_codes_live ON access_codes (tenant_id, person) WHERE state = 'live';
CREATE INDEX access_codes_expire ON access_codes (expires_at) WHERE state = 'live';

-- Letters to be sent. A row exists if and only if the change that caused it was committed. No text and no address is here:
-- both are made when the letter is sent.
CREATE TABLE outbox (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT,
  kind TEXT NOT NULL,
  generation BIGINT,
  detail TEXT,
  state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'dead', 'cancelled')),
  attempts SMALLINT NOT NULL,
  due_at BIGINT NOT NULL,
  leased_until BIGINT,
  error TEXT,
  created_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'queued';
CREATE INDEX outbox_person ON outbox (tenant_id, person);

-- What happened. Rows are only ever added. What identifies a person is encrypted with the person's own key.
CREATE TABLE audit_events (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT NOT NULL,
  at BIGINT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  event TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  reason TEXT,
  detail TEXT,
  request_id TEXT
);
CREATE INDEX audit_events_person ON audit_events (tenant_id, person, id);
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

-- The keys of audit details and letters. When a person is anonymised the key goes, and what it opened with it.
CREATE TABLE person_keys (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (tenant_id, person)
) WITHOUT ROWID;

-- The groups of members that no identity provider sees, for when they are restored.
CREATE TABLE former_groups (
  tenant_id BIGINT NOT NULL,
  person TEXT NOT NULL,
  group_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, person, group_id)
) WITHOUT ROWID;

CREATE TABLE credentials (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT NOT NULL,
  hash TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, person)
) WITHOUT ROWID;

-- Work on many members: counted first, then done a few at a time, by whichever server or command comes by.
CREATE TABLE bulk_jobs (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  total BIGINT NOT NULL,
  done BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX bulk_jobs_open ON bulk_jobs (created_at) WHERE ended_at IS NULL;
CREATE INDEX bulk_jobs_tenant ON bulk_jobs (tenant_id, id);

CREATE TABLE bulk_items (
  tenant_id BIGINT NOT NULL,
  job_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  outcome TEXT,
  PRIMARY KEY (tenant_id, job_id, member_id)
) WITHOUT ROWID;
CREATE INDEX bulk_items_open ON bulk_items (tenant_id, job_id, member_id) WHERE outcome IS NULL;

-- The steps of an anonymisation that are done.
CREATE TABLE purge_steps (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT NOT NULL,
  step TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, person, step)
) WITHOUT ROWID;

-- Who was anonymised, as a keyed hash, so that a feed which still lists the person does not bring it back.
CREATE TABLE suppressions (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  hash TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, hash)
) WITHOUT ROWID;

-- Times in which more members were deactivated than is usual. None of them is anonymised before an admin has confirmed it.
CREATE TABLE freezes (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  from_at BIGINT NOT NULL,
  to_at BIGINT NOT NULL,
  members BIGINT NOT NULL,
  base BIGINT NOT NULL,
  opened_at BIGINT NOT NULL,
  confirmed_at BIGINT,
  confirmed_by TEXT
);
CREATE INDEX freezes_tenant ON freezes (tenant_id, to_at);

CREATE TABLE locations (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
) WITHOUT ROWID;
