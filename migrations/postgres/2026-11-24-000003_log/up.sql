-- What became of each SCIM request. It takes the place of request_notes, which held the tolerances of those that needed one; what was
-- noted there before is not carried over, because its texts could be tied to nobody.
CREATE TABLE provisioning_log (
  tenant_id BIGINT NOT NULL REFERENCES tenants (id),
  id TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  source TEXT COLLATE "C" NOT NULL,
  token_id TEXT COLLATE "C" NOT NULL,
  client TEXT COLLATE "C",
  provider TEXT COLLATE "C",
  signal TEXT COLLATE "C",
  request_id TEXT COLLATE "C" NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  -- The id of the resource, as the request or its answer has it, and what it is kept under: the permanent id of a person.
  target TEXT COLLATE "C",
  subject TEXT COLLATE "C",
  status SMALLINT NOT NULL,
  micros BIGINT NOT NULL,
  scim_type TEXT COLLATE "C",
  detail TEXT COLLATE "C",
  -- JSON: which tolerances fired, and what changed.
  notes TEXT COLLATE "C",
  changes TEXT COLLATE "C",
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX provisioning_log_subject ON provisioning_log (tenant_id, subject, id) WHERE subject IS NOT NULL;
CREATE INDEX provisioning_log_notes ON provisioning_log (tenant_id, id) WHERE notes IS NOT NULL;

DROP TABLE request_notes;
