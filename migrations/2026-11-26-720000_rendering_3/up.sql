-- Rendering version 3: the documented values of OktaVerify.EnrollmentOptions. Every platform gets a new
-- config_version, so that devices with the previous rendering are outdated.

-- The owner sees no tenant's rows while row-level security is forced on it.
ALTER TABLE integrations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE platforms NO FORCE ROW LEVEL SECURITY;

-- Increases the version too, because a platform's ETag changes with its config_version.
UPDATE integrations AS i
   SET config_versions = i.config_versions + 1, version = i.version + 1, updated_at = now()
 WHERE EXISTS (
       SELECT FROM platforms p WHERE p.tenant_id = i.tenant_id AND p.integration_id = i.id);

-- certificate_version is unchanged, so certificates need not be renewed.
UPDATE platforms AS p
   SET config_version = i.config_versions
  FROM integrations i
 WHERE i.tenant_id = p.tenant_id AND i.id = p.integration_id;

ALTER TABLE platforms FORCE ROW LEVEL SECURITY;
ALTER TABLE integrations FORCE ROW LEVEL SECURITY;
