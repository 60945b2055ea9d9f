-- custom_host remains the first of an org's custom domains, because the previous release uses it.
ALTER TABLE integrations
    ADD COLUMN other_custom_hosts jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN additional_sign_in_hosts jsonb NOT NULL DEFAULT '[]',
    -- When the canonical host last listed its custom domains; null if not since this migration.
    ADD COLUMN hosts_confirmed_at timestamptz,
    -- First and last check that found no Okta org at the canonical host; null if the org was found.
    ADD COLUMN host_lost_since timestamptz,
    ADD COLUMN host_lost_at timestamptz,
    -- Notices for the admin about changes of the org's hosts.
    ADD COLUMN org_notices jsonb NOT NULL DEFAULT '[]';
