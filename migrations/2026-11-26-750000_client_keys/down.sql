-- Deletes credentials that are a key pair, because the previous release supports only secrets.
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
        THEN
            found := t;
            EXIT;
        END IF;
    END LOOP;
    PERFORM set_config('odt.tenant', set_before, true);
    RETURN found;
END
$$;

DROP TABLE jwks_routes;
DROP TABLE client_keys;

ALTER TABLE credentials NO FORCE ROW LEVEL SECURITY;
DELETE FROM credentials WHERE kind = 'private_key_jwt';
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;

ALTER TABLE credentials
    DROP CONSTRAINT credentials_secret_by_kind,
    DROP COLUMN kind,
    ALTER COLUMN client_secret SET NOT NULL,
    ALTER COLUMN key_id SET NOT NULL;
