DROP TABLE unique_values;
DROP TABLE tenant_types;
DROP TABLE tenant_schemas;
DELETE FROM resource_counts WHERE kind >= 100;
DELETE FROM resources WHERE kind >= 100;
ALTER TABLE tenants DROP COLUMN types;
