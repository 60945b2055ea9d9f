-- Configured platforms with their sealed secrets, the challenges that were minted, and the devices
-- that were given something.

-- Counts every change of what devices are given. Never goes back, so that a device which reports a
-- version can always be told whether it is the current one.
ALTER TABLE integrations ADD COLUMN config_versions bigint NOT NULL DEFAULT 0;

CREATE TABLE platforms (
    tenant_id           text        NOT NULL,
    integration_id      uuid        NOT NULL,
    platform            text        NOT NULL CHECK (platform IN ('macos', 'ios')),
    -- macOS alone: where challenges and certificates come from.
    scep_url            text,
    challenge_url       text,
    username            text,
    -- macOS: the password of the challenge URL; iOS: the secret key. An envelope bound to this row.
    secret              bytea       NOT NULL,
    key_id              text        NOT NULL,
    secret_version      bigint      NOT NULL,
    secret_updated_at   timestamptz NOT NULL DEFAULT now(),
    secret_updated_by   text        NOT NULL,
    -- When the values were last tried with success; empty for what cannot be verified.
    verified_at         timestamptz,
    -- What the certificate authority showed: subject, fingerprint, end.
    ca                  jsonb,
    -- When Okta refused the stored username and password, until they work again.
    refused_at          timestamptz,
    config_version      bigint      NOT NULL,
    -- The version at which the SCEP values changed last: older certificates are due again.
    certificate_version bigint      NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, platform),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX platforms_by_key ON platforms (tenant_id, key_id);

-- One row per request for a challenge, for the limits: never the challenge itself.
CREATE TABLE scep_challenges (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    id              uuid        NOT NULL,
    serial_number   text        NOT NULL,
    asked_at        timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    PRIMARY KEY (tenant_id, integration_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX scep_challenges_by_device
    ON scep_challenges (tenant_id, integration_id, serial_number, asked_at);

-- The devices that were given something, and which version of it was the last.
CREATE TABLE deployments (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    platform        text        NOT NULL,
    serial_number   text        NOT NULL,
    config_version  bigint      NOT NULL,
    deployed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, platform, serial_number),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

DO $$
DECLARE
    customers_table text;
BEGIN
    FOREACH customers_table IN ARRAY ARRAY['platforms', 'scep_challenges', 'deployments'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', customers_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', customers_table);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON %I '
            'USING (tenant_id = current_setting(''odt.tenant'', true)) '
            'WITH CHECK (tenant_id = current_setting(''odt.tenant'', true))',
            customers_table
        );
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON platforms, scep_challenges, deployments TO odt_app;
