DROP TABLE deployments, scep_challenges, platforms;
ALTER TABLE integrations DROP COLUMN config_versions;
