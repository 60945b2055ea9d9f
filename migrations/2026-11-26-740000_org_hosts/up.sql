-- custom_host stays the first of an org's custom domains, so that the release before reads and writes it.
ALTER TABLE integrations
    ADD COLUMN other_custom_hosts jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN additional_sign_in_hosts jsonb NOT NULL DEFAULT '[]',
    -- When the canonical host last named its custom domains; null: not since this column came.
    ADD COLUMN hosts_confirmed_at timestamptz,
    -- Since when, and until when, checks found no Okta org at the canonical host; null: it is there.
    ADD COLUMN host_lost_since timestamptz,
    ADD COLUMN host_lost_at timestamptz,
    -- What became of the org's hosts and an admin should know.
    ADD COLUMN org_notices jsonb NOT NULL DEFAULT '[]';
