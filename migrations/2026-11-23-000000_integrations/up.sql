-- Integrations, their credentials, prerequisite findings, and the audit log.
--
-- Two roles: migrations run as the owner. The service runs as a login role that is a member of
-- odt_app, owns nothing and cannot bypass row-level security.
-- Tenants are isolated twice: each query names the tenant, and each policy below compares the row's
-- tenant with odt.tenant, which the service sets for one transaction.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odt_app') THEN
        CREATE ROLE odt_app NOLOGIN;
    END IF;
EXCEPTION
    -- Another database of the same server is being migrated concurrently.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO odt_app;

-- The list of tenants, for background work. No customer data, so no policy.
CREATE TABLE tenants (
    id          text        PRIMARY KEY CHECK (id <> ''),
    created_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON tenants TO odt_app;

-- The key-encryption keys in use. No customer data, so no policy. A writer holds a share lock on its
-- key's row until it commits, so that rotate-keys cannot remove a key that is being used.
CREATE TABLE sealing_keys (
    key_id          text        PRIMARY KEY CHECK (key_id <> ''),
    first_used_at   timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON sealing_keys TO odt_app;

CREATE TABLE integrations (
    tenant_id           text        NOT NULL CHECK (tenant_id <> ''),
    id                  uuid        NOT NULL,
    org_id              text        NOT NULL,
    canonical_host      text        NOT NULL,
    custom_host         text,
    engine              text        NOT NULL,
    selected_platforms  jsonb       NOT NULL DEFAULT '[]',
    version             bigint      NOT NULL DEFAULT 1,
    -- Counts all secrets ever entered and never decreases: a token that was cached for deleted
    -- credentials must not match later credentials.
    secrets_entered     bigint      NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT now(),
    created_by          jsonb       NOT NULL,
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    -- A tenant connects an org, identified by its id, only once.
    CONSTRAINT integrations_org_once_per_tenant UNIQUE (tenant_id, org_id)
);

-- client_secret is an encryption envelope (AES-256-GCM) whose associated data is this row.
CREATE TABLE credentials (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    client_id       text        NOT NULL,
    client_secret   bytea       NOT NULL,
    key_id          text        NOT NULL,
    version         bigint      NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    updated_by      text        NOT NULL,
    PRIMARY KEY (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX credentials_by_key ON credentials (tenant_id, key_id);

CREATE TABLE prerequisite_findings (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    kind            text        NOT NULL,
    outcome         text        NOT NULL,
    reason          text,
    evidence        jsonb       NOT NULL,
    checked_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, kind),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE prerequisite_attestations (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    kind            text        NOT NULL,
    attested        boolean     NOT NULL,
    note            text,
    actor           jsonb       NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, kind),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- The audit log outlives integrations, so it has no foreign key. The service may only select and insert.
CREATE TABLE events (
    tenant_id       text        NOT NULL CHECK (tenant_id <> ''),
    id              uuid        NOT NULL,
    integration_id  uuid,
    kind            text        NOT NULL,
    actor           jsonb       NOT NULL,
    detail          jsonb       NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX events_by_integration ON events (tenant_id, integration_id, id);

-- One row per Idempotency-Key. integration_id is null while the first request is in flight.
CREATE TABLE idempotency_keys (
    tenant_id       text        NOT NULL CHECK (tenant_id <> ''),
    key             text        NOT NULL,
    body_hash       bytea       NOT NULL,
    integration_id  uuid,
    claimed_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);

DO $$
DECLARE
    customers_table text;
BEGIN
    FOREACH customers_table IN ARRAY ARRAY[
        'integrations', 'credentials', 'prerequisite_findings', 'prerequisite_attestations',
        'events', 'idempotency_keys'
    ] LOOP
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

GRANT SELECT, INSERT, UPDATE, DELETE
    ON integrations, credentials, prerequisite_findings, prerequisite_attestations, idempotency_keys
    TO odt_app;
GRANT SELECT, INSERT ON events TO odt_app;
