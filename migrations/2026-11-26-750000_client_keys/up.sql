-- Customers' own service apps: credentials that are a key pair.

ALTER TABLE credentials
    ADD COLUMN kind text NOT NULL DEFAULT 'client_secret'
        CHECK (kind IN ('client_secret', 'private_key_jwt')),
    ALTER COLUMN client_secret DROP NOT NULL,
    ALTER COLUMN key_id DROP NOT NULL,
    ADD CONSTRAINT credentials_secret_by_kind CHECK (
        (kind = 'client_secret') = (client_secret IS NOT NULL)
        AND (client_secret IS NULL) = (key_id IS NULL));

-- The private key is an envelope (AES-256-GCM with its own data key) bound to this row. There is at most one
-- key in each state: a new key is pending until Okta has accepted it, and the key before the active one stays
-- in the public key set until it is deleted.
CREATE TABLE client_keys (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    kid             text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('pending', 'active', 'previous')),
    public_jwk      jsonb       NOT NULL,
    private_key     bytea       NOT NULL,
    key_id          text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      text        NOT NULL,
    activated_at    timestamptz,
    PRIMARY KEY (tenant_id, integration_id, kid),
    UNIQUE (tenant_id, integration_id, state),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX client_keys_by_key ON client_keys (tenant_id, key_id);

ALTER TABLE client_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE client_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON client_keys
    USING (tenant_id = current_setting('odt.tenant', true))
    WITH CHECK (tenant_id = current_setting('odt.tenant', true));

-- Maps the random id in the URL of a public key set to its tenant and integration. No policy, because it has
-- no customer data and is read before the tenant is known.
CREATE TABLE jwks_routes (
    jwks_id         uuid        PRIMARY KEY,
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    UNIQUE (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON client_keys, jwks_routes TO odt_app;

-- A key that only private keys are encrypted with is in use too.
CREATE OR REPLACE FUNCTION tenant_of_key(p_key_id text) RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    set_before text := coalesce(current_setting('odt.tenant', true), '');
    found text;
    t text;
BEGIN
    FOR t IN SELECT id FROM public.tenants ORDER BY id LOOP
        PERFORM set_config('odt.tenant', t, true);
        IF EXISTS (SELECT FROM public.credentials c WHERE c.tenant_id = t AND c.key_id = p_key_id)
           OR EXISTS (SELECT FROM public.platforms p WHERE p.tenant_id = t AND p.key_id = p_key_id)
           OR EXISTS (SELECT FROM public.client_keys k WHERE k.tenant_id = t AND k.key_id = p_key_id)
        THEN
            found := t;
            EXIT;
        END IF;
    END LOOP;
    PERFORM set_config('odt.tenant', set_before, true);
    RETURN found;
END
$$;
