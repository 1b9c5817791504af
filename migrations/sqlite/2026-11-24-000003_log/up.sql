-- What became of each SCIM request. It takes the place of request_notes, which held the tolerances of those that needed one; what was
-- noted there before is not carried over, because its texts could be tied to nobody.
CREATE TABLE provisioning_log (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  id TEXT NOT NULL,
  at BIGINT NOT NULL,
  source TEXT NOT NULL,
  token_id TEXT NOT NULL,
  client TEXT,
  provider TEXT,
  signal TEXT,
  request_id TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  -- The id of the resource, as the request or its answer has it, and what it is kept under: the permanent id of a person.
  target TEXT,
  subject TEXT,
  status SMALLINT NOT NULL,
  micros BIGINT NOT NULL,
  scim_type TEXT,
  detail TEXT,
  -- JSON: which tolerances fired, and what changed.
  notes TEXT,
  changes TEXT,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX provisioning_log_subject ON provisioning_log (tenant_id, subject, id) WHERE subject IS NOT NULL;
CREATE INDEX provisioning_log_notes ON provisioning_log (tenant_id, id) WHERE notes IS NOT NULL;

DROP TABLE request_notes;
