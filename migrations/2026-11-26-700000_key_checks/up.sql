-- A known value encrypted with the key. It detects a replica whose keyring has a different key under the
-- same id. Null until a value encrypted with the key was decrypted with it.
ALTER TABLE sealing_keys ADD COLUMN check_value bytea;

-- Returns a tenant with a secret that is encrypted with the key, or null. One statement instead of one per
-- tenant. Runs as the caller, to whom row-level security shows one tenant at a time. Restores the tenant of
-- the transaction.
CREATE FUNCTION tenant_of_key(p_key_id text) RETURNS text
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
