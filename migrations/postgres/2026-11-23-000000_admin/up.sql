-- A tenant can be suspended; its version counts changes of what an admin sets.
ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE tenants ADD COLUMN suspended TEXT COLLATE "C";

-- Where people come from: the connections of a tenant's identity providers. The provider is the tenant's unless the source says otherwise.
CREATE TABLE sources (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  name TEXT COLLATE "C" NOT NULL,
  idp TEXT COLLATE "C",
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'paused', 'detached')),
  capabilities TEXT COLLATE "C" NOT NULL,
  tolerances TEXT COLLATE "C" NOT NULL,
  client_ca TEXT COLLATE "C",
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
INSERT INTO sources (tenant_id, name, state, capabilities, tolerances, version, created_at)
SELECT id, 'default', 'active', '{}', '{}', 1, created_at FROM tenants;

-- A token belongs to a source. While it is being rotated, replaces is the token that it will follow. warned is the last of the 90, 30
-- and 7 days before its end that admins were told of.
ALTER TABLE tokens ADD COLUMN source TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE tokens ADD COLUMN replaces TEXT COLLATE "C";
ALTER TABLE tokens ADD COLUMN certificate TEXT COLLATE "C";
ALTER TABLE tokens ADD COLUMN warned SMALLINT;
CREATE INDEX tokens_expire ON tokens (expires_at) WHERE expires_at IS NOT NULL AND revoked_at IS NULL;

-- Keys of the admin API: an operator's has no tenant.
CREATE TABLE admin_keys (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT REFERENCES tenants (id),
  name TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL UNIQUE,
  scopes TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX admin_keys_tenant ON admin_keys (tenant_id, id);

-- Clients that fetch short-lived tokens (OAuth 2.0 client credentials). A client has a secret, or public keys, or a certificate.
CREATE TABLE oauth_clients (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  source TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  secret_hash TEXT COLLATE "C",
  key_set TEXT COLLATE "C",
  key_set_url TEXT COLLATE "C",
  certificate TEXT COLLATE "C",
  scopes TEXT COLLATE "C" NOT NULL,
  token_seconds BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX oauth_clients_tenant ON oauth_clients (tenant_id, id);

-- Signed assertions of such clients, each good for one use.
CREATE TABLE used_assertions (
  client_id TEXT COLLATE "C" NOT NULL,
  jti TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (client_id, jti)
);
CREATE INDEX used_assertions_expire ON used_assertions (expires_at);

-- Outside issuers whose tokens a source takes. No two sources take the same tokens.
CREATE TABLE trusted_issuers (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  source TEXT COLLATE "C" NOT NULL,
  issuer TEXT COLLATE "C" NOT NULL,
  audience TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  key_set_url TEXT COLLATE "C" NOT NULL,
  scopes TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE UNIQUE INDEX trusted_issuers_token ON trusted_issuers (issuer, audience, subject);
CREATE INDEX trusted_issuers_tenant ON trusted_issuers (tenant_id, id);

-- Answers to creations, so that one that is sent twice happens once. The answer is sealed with a key that only the sender knows.
CREATE TABLE idempotency_keys (
  owner TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL,
  request TEXT COLLATE "C" NOT NULL,
  status SMALLINT NOT NULL,
  answer TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (owner, hash)
);
CREATE INDEX idempotency_keys_at ON idempotency_keys (created_at);

-- The audit of a tenant is read in order; what is about no person has an empty one.
ALTER TABLE audit_events DROP CONSTRAINT audit_events_pkey;
ALTER TABLE audit_events ADD PRIMARY KEY (tenant_id, id);

-- What a job does beside its kind.
ALTER TABLE bulk_jobs ADD COLUMN argument TEXT COLLATE "C";

-- What the admin API lists, and the letters of suspended tenants, which wait.
CREATE INDEX outbox_tenant ON outbox (tenant_id, id);
CREATE INDEX outbox_dead ON outbox (tenant_id, id) WHERE state = 'dead';
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX resources_state ON resources (tenant_id, kind, state, id) WHERE state IS NOT NULL;
CREATE INDEX tenants_suspended ON tenants (id) WHERE suspended IS NOT NULL;
