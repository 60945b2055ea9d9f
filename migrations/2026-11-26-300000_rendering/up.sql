-- Rendering version 2: the iOS rendering contains the device's UDID and serial number. Every platform
-- gets a new config_version, so that devices with the previous rendering are outdated.

-- iOS: the first config_version whose rendering contains UDID and serial number. Null for macOS.
ALTER TABLE platforms ADD COLUMN identifiers_since bigint;

-- While row-level security is forced, the owner sees no rows.
ALTER TABLE integrations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE platforms NO FORCE ROW LEVEL SECURITY;

-- The version increases too, because a platform's ETag changes with its config_version.
UPDATE integrations AS i
   SET config_versions = i.config_versions + 1, version = i.version + 1, updated_at = now()
 WHERE EXISTS (
       SELECT FROM platforms p WHERE p.tenant_id = i.tenant_id AND p.integration_id = i.id);

-- certificate_version is unchanged: certificates need not be re-issued.
UPDATE platforms AS p
   SET config_version = i.config_versions,
       identifiers_since = CASE WHEN p.platform = 'ios' THEN i.config_versions END
  FROM integrations i
 WHERE i.tenant_id = p.tenant_id AND i.id = p.integration_id;

ALTER TABLE platforms FORCE ROW LEVEL SECURITY;
ALTER TABLE integrations FORCE ROW LEVEL SECURITY;
