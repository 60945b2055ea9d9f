-- Configured platforms with their encrypted secrets, SCEP challenges, and deployments.

-- Counts changes of what is deployed to devices. Never decreases, so a version that a device reports is
-- either the current one or outdated.
ALTER TABLE integrations ADD COLUMN config_versions bigint NOT NULL DEFAULT 0;

CREATE TABLE platforms (
    tenant_id           text        NOT NULL,
    integration_id      uuid        NOT NULL,
    platform            text        NOT NULL CHECK (platform IN ('macos', 'ios')),
    -- macOS only: the sources of challenges and certificates.
    scep_url            text,
    challenge_url       text,
    username            text,
    -- macOS: the password of the challenge URL. iOS: the secret key. An encryption envelope whose
    -- associated data is this row.
    secret              bytea       NOT NULL,
    key_id              text        NOT NULL,
    secret_version      bigint      NOT NULL,
    secret_updated_at   timestamptz NOT NULL DEFAULT now(),
    secret_updated_by   text        NOT NULL,
    -- The last successful verification; null if the values cannot be verified.
    verified_at         timestamptz,
    -- The certificate authority: subject, fingerprint and expiry.
    ca                  jsonb,
    -- When Okta refused the stored username and password; null once they work again.
    refused_at          timestamptz,
    config_version      bigint      NOT NULL,
    -- The config_version of the last change of SCEP values: older certificates must be re-issued.
    certificate_version bigint      NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, platform),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX platforms_by_key ON platforms (tenant_id, key_id);

-- One row per challenge request, for rate limits. The challenge itself is not stored.
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

-- The last config_version that was deployed to each device.
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
