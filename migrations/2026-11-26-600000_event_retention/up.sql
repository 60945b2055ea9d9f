-- Deletes events by the transaction's time, like all other expired rows. The service could pass any time,
-- so a time ahead of the server's clock is replaced by the server's time: the service cannot delete events
-- that are younger than 400 days.
--
-- The function without a time stays until no replica of the previous release runs.
CREATE FUNCTION delete_old_events(p_tenant text, p_now timestamptz) RETURNS integer
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    set_before text := coalesce(current_setting('odt.tenant', true), '');
    old_before timestamptz := least(p_now, clock_timestamp()) - interval '400 days';
    deleted integer;
BEGIN
    IF set_before NOT IN ('', p_tenant) THEN
        RAISE EXCEPTION 'the transaction is not of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('odt.tenant', p_tenant, true);
    DELETE FROM public.events
     WHERE tenant_id = p_tenant AND id IN (
           SELECT id FROM public.events
            WHERE tenant_id = p_tenant AND at < old_before ORDER BY at LIMIT 1000);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    PERFORM set_config('odt.tenant', set_before, true);
    RETURN deleted;
END
$$;
REVOKE ALL ON FUNCTION delete_old_events(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_old_events(text, timestamptz) TO odt_app;
