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

DROP TABLE provisioning_log;
