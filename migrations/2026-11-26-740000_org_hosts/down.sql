ALTER TABLE integrations
    DROP COLUMN other_custom_hosts,
    DROP COLUMN additional_sign_in_hosts,
    DROP COLUMN hosts_confirmed_at,
    DROP COLUMN host_lost_since,
    DROP COLUMN host_lost_at,
    DROP COLUMN org_notices;
