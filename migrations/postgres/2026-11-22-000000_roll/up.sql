-- Settings of a tenant, as JSON; what is missing has its default.
ALTER TABLE tenants ADD COLUMN settings TEXT COLLATE "C" NOT NULL DEFAULT '{}';

-- The roll. A user is also a member: state 1 uninvited, 2 invited, 3 claimed, 4 quarantined (then prior is where it came from).
-- Kind 3 is a quarantined user that no identity provider sees, kind 4 what is left of one after anonymisation (state 5).
ALTER TABLE resources ADD COLUMN person TEXT COLLATE "C";
ALTER TABLE resources ADD COLUMN state SMALLINT;
ALTER TABLE resources ADD COLUMN prior SMALLINT;
ALTER TABLE resources ADD COLUMN invited BOOLEAN;
ALTER TABLE resources ADD COLUMN ever_claimed BOOLEAN;
ALTER TABLE resources ADD COLUMN invited_at BIGINT;
ALTER TABLE resources ADD COLUMN claimed_at BIGINT;
ALTER TABLE resources ADD COLUMN quarantined_at BIGINT;
ALTER TABLE resources ADD COLUMN purge_at BIGINT;
ALTER TABLE resources ADD COLUMN warned_at BIGINT;
ALTER TABLE resources ADD COLUMN holds TEXT COLLATE "C";
ALTER TABLE resources ADD COLUMN generation BIGINT;
ALTER TABLE resources ADD COLUMN legal_hold TEXT COLLATE "C";
ALTER TABLE resources ADD COLUMN employee_key TEXT COLLATE "C";
ALTER TABLE resources ADD COLUMN terminates_at BIGINT;
ALTER TABLE resources ADD COLUMN location_raw TEXT COLLATE "C";
ALTER TABLE resources ADD COLUMN manager_ref TEXT COLLATE "C";
ALTER TABLE resources ADD COLUMN admin BOOLEAN;
ALTER TABLE resources ADD COLUMN mail TEXT COLLATE "C";

-- Users that were there before the roll: known to nobody but their identity provider.
UPDATE resources SET person = id, state = 1, invited = FALSE, ever_claimed = FALSE, generation = 0, admin = FALSE WHERE kind = 1;
UPDATE resources SET state = 4, prior = 1, quarantined_at = modified_at,
  purge_at = (floor(extract(epoch FROM now()))::bigint + 604800) * 1000000,
  holds = '[{"source":"scim","reason":"inactive","since":' || modified_at || '}]'
WHERE kind = 1 AND doc::jsonb ->> 'active' = 'false';

UPDATE resources SET
  mail = COALESCE(
    (SELECT e.value ->> 'value' FROM jsonb_array_elements(doc::jsonb -> 'emails') WITH ORDINALITY e (value, place)
     ORDER BY COALESCE((e.value ->> 'primary')::boolean, FALSE) DESC, e.place LIMIT 1),
    CASE WHEN doc::jsonb ->> 'userName' LIKE '%_@_%' THEN doc::jsonb ->> 'userName' END),
  employee_key = lower(doc::jsonb -> 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User' ->> 'employeeNumber'),
  admin = EXISTS (SELECT 1 FROM jsonb_array_elements(doc::jsonb -> 'roles') r (value) WHERE lower(r.value ->> 'value') = 'admin')
WHERE kind = 1;

-- A user's document ends with our own extension; the roll's part of it is added when it is shown.
UPDATE resources SET doc = left((doc::jsonb - 'urn:ietf:params:scim:schemas:extension:rollbook:2.0:User')::text, -1) || ',"urn:ietf:params:scim:schemas:extension:rollbook:2.0:User":'
  || COALESCE(doc::jsonb -> 'urn:ietf:params:scim:schemas:extension:rollbook:2.0:User', '{}')::text || '}'
WHERE kind = 1;

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
  person TEXT COLLATE "C" NOT NULL,
  generation BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('live', 'used', 'superseded', 'revoked', 'expired')),
  hash TEXT COLLATE "C" NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at BIGINT,
  reminders SMALLINT NOT NULL,
  remind_at BIGINT,
  undeliverable TEXT COLLATE "C",
  PRIMARY KEY (tenant_id, person, generation)
);
CREATE UNIQUE INDEX invitations_live ON invitations (tenant_id, person) WHERE state = 'live';
CREATE INDEX invitations_remind ON invitations (remind_at) WHERE remind_at IS NOT NULL;
CREATE INDEX invitations_expire ON invitations (expires_at) WHERE state = 'live';

-- Access codes: found by a keyed hash, kept encrypted so that a lost slip can be printed again.
CREATE TABLE access_codes (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT COLLATE "C" NOT NULL,
  lookup TEXT COLLATE "C" NOT NULL UNIQUE,
  sealed TEXT COLLATE "C",
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('live', 'used', 'superseded', 'revoked', 'expired')),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE UNIQUE INDEX access_codes_live ON access_codes (tenant_id, person) WHERE state = 'live';
CREATE INDEX access_codes_expire ON access_codes (expires_at) WHERE state = 'live';

-- Letters to be sent. A row exists if and only if the change that caused it was committed. No text and no address is here:
-- both are made when the letter is sent.
CREATE TABLE outbox (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT COLLATE "C",
  kind TEXT COLLATE "C" NOT NULL,
  generation BIGINT,
  detail TEXT COLLATE "C",
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'sent', 'dead', 'cancelled')),
  attempts SMALLINT NOT NULL,
  due_at BIGINT NOT NULL,
  leased_until BIGINT,
  error TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'queued';
CREATE INDEX outbox_person ON outbox (tenant_id, person);

-- What happened. Rows are only ever added. What identifies a person is encrypted with the person's own key.
CREATE TABLE audit_events (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  actor_kind TEXT COLLATE "C" NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  event TEXT COLLATE "C" NOT NULL,
  from_state TEXT COLLATE "C" NOT NULL,
  to_state TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C",
  detail TEXT COLLATE "C",
  request_id TEXT COLLATE "C"
);
CREATE INDEX audit_events_person ON audit_events (tenant_id, person, id);
CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit events are never changed';
END
$$;
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_stay();

-- The keys of audit details and letters. When a person is anonymised the key goes, and what it opened with it.
CREATE TABLE person_keys (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT COLLATE "C" NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, person)
);

-- The groups of members that no identity provider sees, for when they are restored.
CREATE TABLE former_groups (
  tenant_id BIGINT NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  group_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, person, group_id)
);

CREATE TABLE credentials (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, person)
);

-- Work on many members: counted first, then done a few at a time, by whichever server or command comes by.
CREATE TABLE bulk_jobs (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  kind TEXT COLLATE "C" NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
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
  job_id TEXT COLLATE "C" NOT NULL,
  member_id TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C",
  PRIMARY KEY (tenant_id, job_id, member_id)
);
CREATE INDEX bulk_items_open ON bulk_items (tenant_id, job_id, member_id) WHERE outcome IS NULL;

-- The steps of an anonymisation that are done.
CREATE TABLE purge_steps (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  person TEXT COLLATE "C" NOT NULL,
  step TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, person, step)
);

-- Who was anonymised, as a keyed hash, so that a feed which still lists the person does not bring it back.
CREATE TABLE suppressions (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  hash TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, hash)
);

-- Times in which more members were deactivated than is usual. None of them is anonymised before an admin has confirmed it.
CREATE TABLE freezes (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  from_at BIGINT NOT NULL,
  to_at BIGINT NOT NULL,
  members BIGINT NOT NULL,
  base BIGINT NOT NULL,
  opened_at BIGINT NOT NULL,
  confirmed_at BIGINT,
  confirmed_by TEXT COLLATE "C"
);
CREATE INDEX freezes_tenant ON freezes (tenant_id, to_at);

CREATE TABLE locations (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  name TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
