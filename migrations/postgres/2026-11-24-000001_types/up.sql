-- Counts up with every change of the schemas and resource types that a tenant has declared; 0 while there were none.
ALTER TABLE tenants ADD COLUMN types BIGINT NOT NULL DEFAULT 0;

-- Schemas that a tenant has declared, as /Schemas shows them.
CREATE TABLE tenant_schemas (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  urn TEXT COLLATE "C" NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  modified_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, urn)
);

-- Resource types that a tenant has declared, from kind 100 on, and those of users (1) and groups (2) to which it has added extensions.
CREATE TABLE tenant_types (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  kind SMALLINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  modified_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, kind)
);

-- Values that only one resource of a kind may have. The values are in the form in which equal ones are the same text.
CREATE TABLE unique_values (
  tenant_id BIGINT NOT NULL,
  kind SMALLINT NOT NULL,
  attribute TEXT COLLATE "C" NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  resource_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, kind, attribute, value)
);
CREATE INDEX unique_values_resource ON unique_values (tenant_id, kind, resource_id);
