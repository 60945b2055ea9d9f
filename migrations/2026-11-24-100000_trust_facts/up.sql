-- Returns everything that verdicts on up to 1,000 devices depend on, in one round trip.
--
-- Tenants are isolated twice: each query below names the tenant, and set_config sets it for the
-- policies, for this transaction. The function runs with the rights of its caller.
--
-- Returns a row for each requested device, numbered from 1, and finally the row 0 with what is common to
-- all: the tenant's integrations (or the requested one), the time, and whether the org has an iOS record
-- that could be any iPhone. If there are several integrations and none is named, only the row 0 is
-- returned, because the org is ambiguous.
CREATE FUNCTION facts_many(
    p_tenant          text,
    p_integration     uuid,
    p_serials         text[],
    p_udids           text[],
    p_okta_device_ids text[]
) RETURNS TABLE (ordinal integer, facts json)
LANGUAGE plpgsql
SECURITY INVOKER
-- Every access is an index lookup. Planning each call costs more than the lookups, so plans are generic.
-- A plan that was made while a table was small or had no statistics must not scan it once it has grown,
-- so sequential scans and hash and merge joins are disabled.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    v_integrations json;
    v_count        bigint;
    v_integration  uuid;
    v_row          record;
    v_ask_nameless boolean := false;
    v_nameless     boolean := false;
    v_udid_only    boolean := false;
BEGIN
    PERFORM set_config('odt.tenant', p_tenant, true);

    SELECT count(*),
           (array_agg(i.id))[1],
           json_agg(json_build_object(
               'id', i.id,
               'okta_domain', i.canonical_host,
               'connected', EXISTS (SELECT FROM credentials c
                   WHERE c.tenant_id = p_tenant AND c.integration_id = i.id),
               'platforms', ARRAY(SELECT p.platform FROM platforms p
                   WHERE p.tenant_id = p_tenant AND p.integration_id = i.id),
               'swept_at', (SELECT s.swept_at FROM okta_syncs s
                   WHERE s.tenant_id = p_tenant AND s.integration_id = i.id),
               'degraded', i.noted_status = 'degraded') ORDER BY i.id)
      INTO v_count, v_integration, v_integrations
      FROM integrations i
     WHERE i.tenant_id = p_tenant AND (p_integration IS NULL OR i.id = p_integration);

    IF v_count <= 1 THEN
        FOR v_row IN
            SELECT a.place::integer AS place,
                   d.platform,
                   o.records,
                   json_build_object(
                       'device', CASE WHEN d.serial_number IS NOT NULL THEN json_build_object(
                           'serial_number', d.serial_number,
                           'platform', d.platform,
                           'udid', d.udid,
                           'okta_device_id', d.okta_device_id,
                           'enrollment', d.enrollment_state,
                           'okta_verify_installed_at', CASE WHEN d.counts_from IS NULL
                               OR d.okta_verify_reported_at >= d.counts_from
                               THEN d.okta_verify_installed_at END,
                           'counts_from', d.counts_from,
                           'reported_at', d.reported_at,
                           'deleted_at', d.deleted_at,
                           'delivery', CASE WHEN y.config_version IS NOT NULL THEN json_build_object(
                               'config_version', y.config_version,
                               'reported_at', y.reported_at) END,
                           'certificate', c.certificate) END,
                       'several_devices', coalesce(d.several, false),
                       'okta_devices', o.records) AS answer
              FROM unnest(p_serials, p_udids, p_okta_device_ids)
                   WITH ORDINALITY AS a (serial_number, udid, okta_device_id, place)
              -- By Okta id first, then by UDID, then by serial number. If only an Okta id was
              -- requested, the identifiers on its record are used.
              LEFT JOIN LATERAL (
                  -- Also returns whether the identifiers match several devices.
                  SELECT found.*, min(found.serial_number) OVER ()
                             <> max(found.serial_number) OVER () AS several FROM (
                      SELECT 1 AS way, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.okta_device_id = a.okta_device_id
                      UNION ALL
                      SELECT 2, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.udid = a.udid
                      UNION ALL
                      SELECT 3, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.serial_number = a.serial_number
                      UNION ALL
                      SELECT 4, n.* FROM okta_devices r JOIN devices n
                          ON n.tenant_id = p_tenant AND n.udid = r.udid
                       WHERE a.serial_number IS NULL AND a.udid IS NULL
                         AND r.tenant_id = p_tenant AND r.integration_id = v_integration
                         AND r.okta_device_id = a.okta_device_id
                      UNION ALL
                      SELECT 5, n.* FROM okta_devices r JOIN devices n
                          ON n.tenant_id = p_tenant AND n.serial_number = r.serial_number
                       WHERE a.serial_number IS NULL AND a.udid IS NULL
                         AND r.tenant_id = p_tenant AND r.integration_id = v_integration
                         AND r.okta_device_id = a.okta_device_id
                  ) AS found
                  ORDER BY found.way LIMIT 1
              ) AS d ON true
              LEFT JOIN device_deliveries y
                ON y.tenant_id = p_tenant AND y.serial_number = d.serial_number
               AND y.integration_id = v_integration
              -- The newest by not_before, of those that belong to this enrolment and were not cleared
              -- since.
              LEFT JOIN LATERAL (
                  SELECT json_build_object(
                             'serial_number', n.certificate_serial_number,
                             'not_before', n.not_before,
                             'not_after', n.not_after) AS certificate
                    FROM device_certificates n
                   WHERE n.tenant_id = p_tenant AND n.serial_number = d.serial_number
                     AND n.integration_id = v_integration AND n.certificate_serial_number <> ''
                     AND d.platform = 'macos'
                     AND (d.counts_from IS NULL OR n.reported_at >= d.counts_from)
                     AND NOT EXISTS (
                         SELECT FROM device_certificates gone
                          WHERE gone.tenant_id = p_tenant AND gone.serial_number = d.serial_number
                            AND gone.integration_id = v_integration
                            AND gone.certificate_serial_number = ''
                            AND gone.reported_at >= n.reported_at)
                   ORDER BY n.not_before DESC, n.certificate_serial_number DESC
                   LIMIT 1
              ) AS c ON true
              -- Every record that has one of the identifiers: the requested ones and those of the device.
              LEFT JOIN LATERAL (
                  SELECT json_agg(json_build_object(
                             'okta_device_id', r.okta_device_id,
                             'platform', r.platform,
                             'status', r.status,
                             'serial_number', r.serial_number,
                             'udid', r.udid,
                             'display_name', r.display_name,
                             'created_at', r.created_at,
                             'last_updated_at', r.last_updated_at,
                             'users', r.users,
                             'users_known', r.users_known,
                             'observed_at', r.observed_at,
                             'follows_sweeps', r.follows_sweeps,
                             'users_observed_at', r.users_observed_at,
                             'not_found_at', r.not_found_at)) AS records
                    FROM (
                      SELECT a.okta_device_id AS id WHERE a.okta_device_id IS NOT NULL
                      UNION
                      SELECT d.okta_device_id WHERE d.okta_device_id IS NOT NULL
                      UNION
                      SELECT n.okta_device_id FROM okta_devices n
                       WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                         AND n.udid = a.udid
                      UNION
                      SELECT n.okta_device_id FROM okta_devices n
                       WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                         AND n.udid = nullif(d.udid, a.udid)
                      UNION
                      SELECT n.okta_device_id FROM okta_devices n
                       WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                         AND n.serial_number = a.serial_number
                      UNION
                      SELECT n.okta_device_id FROM okta_devices n
                       WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                         AND n.serial_number = nullif(d.serial_number, a.serial_number)
                    ) AS named
                    -- OFFSET 0 keeps an index lookup per id when the planner underestimates the rows.
                    CROSS JOIN LATERAL (
                        SELECT n.* FROM okta_devices n
                         WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                           AND n.okta_device_id = named.id
                        OFFSET 0
                    ) AS r
              ) AS o ON true
        LOOP
            ordinal := v_row.place;
            facts := v_row.answer;
            RETURN NEXT;
            v_ask_nameless := v_ask_nameless OR (v_row.platform = 'ios' AND v_row.records IS NULL);
        END LOOP;

        -- Only if the result matters: records that no device of the inventory claims, without any
        -- identifier or with only a UDID.
        IF v_ask_nameless THEN
            SELECT bool_or(r.udid IS NULL), bool_or(r.udid IS NOT NULL)
              INTO v_nameless, v_udid_only
              FROM okta_devices r
             WHERE r.tenant_id = p_tenant AND r.integration_id = v_integration
               AND r.serial_number IS NULL
               AND r.platform = 'IOS' AND r.not_found_at IS NULL
               -- An index lookup per record instead of a join.
               AND (SELECT n.serial_number FROM devices n
                     WHERE n.tenant_id = p_tenant
                       AND n.okta_device_id = r.okta_device_id LIMIT 1) IS NULL
               AND (r.udid IS NULL OR (SELECT n.serial_number FROM devices n
                     WHERE n.tenant_id = p_tenant AND n.udid = r.udid LIMIT 1) IS NULL);
        END IF;
    END IF;

    ordinal := 0;
    facts := json_build_object(
        'integrations', coalesce(v_integrations, '[]'::json),
        -- The database clock, which all stored times use; the clocks of replicas do not matter.
        'now', clock_timestamp(),
        'unmatched_ios', json_build_object(
            'nameless', coalesce(v_nameless, false),
            'udid_only', coalesce(v_udid_only, false)));
    RETURN NEXT;
END
$$;

REVOKE ALL ON FUNCTION facts_many(text, uuid, text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION facts_many(text, uuid, text[], text[], text[]) TO odt_app;
