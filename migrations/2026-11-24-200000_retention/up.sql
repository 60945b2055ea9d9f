-- Retention: deletes old events from the append-only audit log, and indexes that find expired rows.

CREATE INDEX events_by_age ON events (tenant_id, at);
CREATE INDEX devices_deleted ON devices (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;

-- Deletes events of one tenant that are older than 400 days, at most 1,000 per call, and returns how
-- many. The service may otherwise only insert and read events. The function runs as the owner. Row-level
-- security applies to the owner too, so the tenant is set during the call; a transaction of one tenant
-- cannot name another one.
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
