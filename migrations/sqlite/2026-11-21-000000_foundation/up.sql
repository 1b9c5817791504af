CREATE TABLE tenants (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  idp TEXT NOT NULL,
  unique_group_names BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE tokens (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  kind TEXT NOT NULL CHECK (kind IN ('opaque', 'jwt')),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX tokens_tenant ON tokens (tenant_id, created_at);

CREATE TABLE signing_keys (
  kid TEXT NOT NULL PRIMARY KEY,
  algorithm TEXT NOT NULL,
  private_key TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE secrets (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

-- One row. It counts up with every change that a server's cache of tokens must notice.
CREATE TABLE auth_epoch (
  id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
  epoch BIGINT NOT NULL
);
INSERT INTO auth_epoch (id, epoch) VALUES (1, 0);

-- Users (kind 1) and groups (kind 2). Names ending in _key are case-folded; doc is what the client sees, fdoc what filters see.
CREATE TABLE resources (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  kind SMALLINT NOT NULL,
  id TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  modified_at BIGINT NOT NULL,
  member_count BIGINT NOT NULL,
  unique_key TEXT,
  display_key TEXT,
  external_id TEXT,
  manager TEXT,
  label TEXT NOT NULL,
  label_derived BOOLEAN NOT NULL,
  doc TEXT NOT NULL,
  fdoc TEXT NOT NULL,
  PRIMARY KEY (tenant_id, kind, id)
);
CREATE UNIQUE INDEX resources_unique_key ON resources (tenant_id, kind, unique_key);
CREATE INDEX resources_display_key ON resources (tenant_id, kind, display_key);
CREATE INDEX resources_external_id ON resources (tenant_id, kind, external_id);

CREATE TABLE resource_emails (
  tenant_id BIGINT NOT NULL,
  value_key TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  PRIMARY KEY (tenant_id, value_key, resource_id)
) WITHOUT ROWID;

CREATE TABLE group_members (
  tenant_id BIGINT NOT NULL,
  group_id TEXT NOT NULL,
  member_id TEXT NOT NULL,
  member_kind SMALLINT NOT NULL,
  PRIMARY KEY (tenant_id, group_id, member_id)
) WITHOUT ROWID;
CREATE INDEX group_members_member ON group_members (tenant_id, member_id, group_id);

-- How many resources a tenant has: the sum over the slots, which exist so that parallel writers seldom meet.
CREATE TABLE resource_counts (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  kind SMALLINT NOT NULL,
  slot SMALLINT NOT NULL,
  total BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, kind, slot)
) WITHOUT ROWID;

-- The tolerances that fired for a request, and the evidence of which provider sent it.
CREATE TABLE request_notes (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  token_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  method TEXT NOT NULL,
  target TEXT NOT NULL,
  provider TEXT,
  signal TEXT,
  notes TEXT NOT NULL
);
CREATE INDEX request_notes_tenant ON request_notes (tenant_id, id);
CREATE INDEX request_notes_at ON request_notes (at);

-- Which providers a tenant's requests have shown, and by what.
CREATE TABLE provider_evidence (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  provider TEXT NOT NULL,
  signal TEXT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, provider, signal)
) WITHOUT ROWID;
