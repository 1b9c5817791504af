CREATE TABLE request_notes (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  token_id TEXT COLLATE "C" NOT NULL,
  request_id TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  target TEXT COLLATE "C" NOT NULL,
  provider TEXT COLLATE "C",
  signal TEXT COLLATE "C",
  notes TEXT COLLATE "C" NOT NULL
);
CREATE INDEX request_notes_tenant ON request_notes (tenant_id, id);
CREATE INDEX request_notes_at ON request_notes (at);

DROP TABLE provisioning_log;
