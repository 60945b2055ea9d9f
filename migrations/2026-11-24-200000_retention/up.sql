-- Forgetting: how old events leave the audit that nobody may change, and how what has had its time
-- is found without reading everything.

CREATE INDEX events_by_age ON events (tenant_id, at);
CREATE INDEX devices_deleted ON devices (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;

-- The service may insert events and read them, and nothing else. This is the one way by which any
-- leave: those of one tenant that are older than 400 days, so many at a time that it is soon over.
-- Answers how many went. Runs as the owner, who is held to row-level security too, so the tenant is
-- set for the length of the call; a transaction of one tenant cannot name another.
CREATE FUNCTION delete_old_events(p_tenant text) RETURNS integer
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    set_before text := coalesce(current_setting('odt.tenant', true), '');
    deleted integer;
BEGIN
    IF set_before NOT IN ('', p_tenant) THEN
        RAISE EXCEPTION 'the transaction is not of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('odt.tenant', p_tenant, true);
    DELETE FROM public.events
     WHERE tenant_id = p_tenant AND id IN (
           SELECT id FROM public.events
            WHERE tenant_id = p_tenant AND at < now() - interval '400 days' ORDER BY at LIMIT 1000);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    PERFORM set_config('odt.tenant', set_before, true);
    RETURN deleted;
END
$$;
REVOKE ALL ON FUNCTION delete_old_events(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_old_events(text) TO odt_app;
