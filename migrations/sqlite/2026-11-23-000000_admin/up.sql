-- A tenant can be suspended; its version counts changes of what an admin sets.
ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE tenants ADD COLUMN suspended TEXT;

-- Where people come from: the connections of a tenant's identity providers. The provider is the tenant's unless the source says otherwise.
CREATE TABLE sources (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  idp TEXT,
  state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'detached')),
  capabilities TEXT NOT NULL,
  tolerances TEXT NOT NULL,
  client_ca TEXT,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
) WITHOUT ROWID;
INSERT INTO sources (tenant_id, name, state, capabilities, tolerances, version, created_at)
SELECT id, 'default', 'active', '{}', '{}', 1, created_at FROM tenants;

-- A token belongs to a source. While it is being rotated, replaces is the token that it will follow. warned is the last of the 90, 30
-- and 7 days before its end that admins were told of.
ALTER TABLE tokens ADD COLUMN source TEXT NOT NULL DEFAULT 'default';
ALTER TABLE tokens ADD COLUMN replaces TEXT;
ALTER TABLE tokens ADD COLUMN certificate TEXT;
ALTER TABLE tokens ADD COLUMN warned SMALLINT;
CREATE INDEX tokens_expire ON tokens (expires_at) WHERE expires_at IS NOT NULL AND revoked_at IS NULL;

-- Keys of the admin API: an operator's has no tenant.
CREATE TABLE admin_keys (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT REFERENCES tenants (id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX admin_keys_tenant ON admin_keys (tenant_id, id);

-- Clients that fetch short-lived tokens (OAuth 2.0 client credentials). A client has a secret, or public keys, or a certificate.
CREATE TABLE oauth_clients (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  source TEXT NOT NULL,
  name TEXT NOT NULL,
  secret_hash TEXT,
  key_set TEXT,
  key_set_url TEXT,
  certificate TEXT,
  scopes TEXT NOT NULL,
  token_seconds BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX oauth_clients_tenant ON oauth_clients (tenant_id, id);

-- Signed assertions of such clients, each good for one use.
CREATE TABLE used_assertions (
  client_id TEXT NOT NULL,
  jti TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (client_id, jti)
) WITHOUT ROWID;
CREATE INDEX used_assertions_expire ON used_assertions (expires_at);

-- Outside issuers whose tokens a source takes. No two sources take the same tokens.
CREATE TABLE trusted_issuers (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  source TEXT NOT NULL,
  issuer TEXT NOT NULL,
  audience TEXT NOT NULL,
  subject TEXT NOT NULL,
  key_set_url TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE UNIQUE INDEX trusted_issuers_token ON trusted_issuers (issuer, audience, subject);
CREATE INDEX trusted_issuers_tenant ON trusted_issuers (tenant_id, id);

-- Answers to creations, so that one that is sent twice happens once. The answer is sealed with a key that only the sender knows.
CREATE TABLE idempotency_keys (
  owner TEXT NOT NULL,
  hash TEXT NOT NULL,
  request TEXT NOT NULL,
  status SMALLINT NOT NULL,
  answer TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (owner, hash)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_at ON idempotency_keys (created_at);

-- The audit of a tenant is read in order; what is about no person has an empty one.
CREATE TABLE audit_events_new (
  id TEXT NOT NULL,
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
  request_id TEXT,
  PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
INSERT INTO audit_events_new SELECT id, tenant_id, person, at, actor_kind, actor, event, from_state, to_state, reason, detail, request_id FROM audit_events;
DROP TABLE audit_events;
ALTER TABLE audit_events_new RENAME TO audit_events;
CREATE INDEX audit_events_person ON audit_events (tenant_id, person, id);
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;

-- What a job does beside its kind.
ALTER TABLE bulk_jobs ADD COLUMN argument TEXT;

-- What the admin API lists, and the letters of suspended tenants, which wait.
CREATE INDEX outbox_tenant ON outbox (tenant_id, id);
CREATE INDEX outbox_dead ON outbox (tenant_id, id) WHERE state = 'dead';
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX resources_state ON resources (tenant_id, kind, state, id) WHERE state IS NOT NULL;
CREATE INDEX tenants_suspended ON tenants (id) WHERE suspended IS NOT NULL;
