DROP FUNCTION projected_facts(text, uuid, text[]);
DROP FUNCTION project_trust_facts(text, text[], text[], text[], integer);
DROP FUNCTION write_trust_facts(text, uuid, text[]);
DROP FUNCTION defined_trust_facts(text, uuid, text[]);
DROP TABLE trust_facts;

-- Returns everything that verdicts on up to 1,000 devices depend on, in one round trip.
--
-- Tenants are isolated twice: each query below names the tenant, and set_config sets it for the
-- policies, for this transaction. The function runs with the rights of its caller.
--
-- Returns a row for each requested device, numbered from 1, and finally the row 0 with what is common to
-- all: the tenant's integrations (or the requested one), the time, and whether the org has an iOS record
-- that names no device. Without a named integration only connected ones are considered. If there are
-- several of them, only the row 0 is returned, because the org is ambiguous.
CREATE OR REPLACE FUNCTION facts_many(
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
-- Plans that must use a disabled operation get such a high cost estimate that they would be compiled at
-- each call.
SET jit = off
AS $$
DECLARE
    v_integrations json;
    v_count        bigint;
    v_connected    bigint;
    v_integration  uuid;
    v_row          record;
    v_ask_unnamed  boolean := false;
    v_unnamed      boolean := false;
BEGIN
    PERFORM set_config('odt.tenant', p_tenant, true);

    SELECT count(*) INTO v_connected FROM credentials c WHERE c.tenant_id = p_tenant;
    SELECT count(*),
           (array_agg(i.id))[1],
           json_agg(json_build_object(
               'id', i.id,
               'okta_domain', i.canonical_host,
               'connected', i.connected,
               'platforms', ARRAY(SELECT p.platform FROM platforms p
                   WHERE p.tenant_id = p_tenant AND p.integration_id = i.id),
               'ios_identifiers_since', (SELECT p.identifiers_since FROM platforms p
                   WHERE p.tenant_id = p_tenant AND p.integration_id = i.id AND p.platform = 'ios'),
               'swept_at', (SELECT s.swept_at FROM okta_syncs s
                   WHERE s.tenant_id = p_tenant AND s.integration_id = i.id),
               'degraded', i.noted_status = 'degraded') ORDER BY i.id)
      INTO v_count, v_integration, v_integrations
      FROM (SELECT n.id, n.canonical_host, n.noted_status,
                   EXISTS (SELECT FROM credentials c
                       WHERE c.tenant_id = p_tenant AND c.integration_id = n.id) AS connected
              FROM integrations n
             WHERE n.tenant_id = p_tenant AND (p_integration IS NULL OR n.id = p_integration)) AS i
     WHERE p_integration IS NOT NULL OR i.connected OR v_connected = 0;
    -- Several integrations that are all in setup count as none.
    IF p_integration IS NULL AND v_connected = 0 AND v_count > 1 THEN
        v_count := 0;
        v_integration := NULL;
        v_integrations := NULL;
    END IF;

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
                           'okta_device_id_reported_at', d.okta_device_id_reported_at,
                           'enrollment', d.enrollment_state,
                           'living', d.living,
                           'left_at', d.left_at,
                           'enrolled_since', d.enrolled_since,
                           'last_enrolled_at', d.last_enrolled_at,
                           'okta_verify', CASE WHEN d.okta_verify_installed_at IS NOT NULL
                               THEN json_build_object('value', d.okta_verify_installed_at,
                                                      'at', d.okta_verify_reported_at) END,
                           'check_in', CASE WHEN d.check_in_last_seen_at IS NOT NULL
                               THEN json_build_object('value', d.check_in_last_seen_at,
                                                      'at', d.check_in_reported_at) END,
                           'lost_mode', CASE WHEN d.lost_mode_enabled IS NOT NULL
                               THEN json_build_object('value', d.lost_mode_enabled,
                                                      'at', d.lost_mode_reported_at) END,
                           'reported_at', d.reported_at,
                           'first_reported_at', d.created_at,
                           'delivery', CASE WHEN y.config_version IS NOT NULL THEN json_build_object(
                               'config_version', y.config_version,
                               'delivered_at', y.delivered_at) END,
                           'certificate', c.certificate) END,
                       'several_devices', coalesce(d.several, false),
                       'records', o.records) AS answer
              FROM unnest(p_serials, p_udids, p_okta_device_ids)
                   WITH ORDINALITY AS a (serial_number, udid, okta_device_id, place)
              -- The identifiers on the record with the requested Okta id. If nothing else was requested,
              -- they identify the device.
              LEFT JOIN LATERAL (
                  SELECT n.serial_number, n.udid FROM okta_devices n
                   WHERE a.serial_number IS NULL AND a.udid IS NULL
                     AND n.tenant_id = p_tenant AND n.integration_id = v_integration
                     AND n.okta_device_id = a.okta_device_id
              ) AS named ON true
              -- Living devices first: by Okta id, by UDID, by serial number. A tombstone is found only by
              -- identifiers that no living device has.
              LEFT JOIN LATERAL (
                  SELECT found.*,
                         min(found.serial_number) FILTER (WHERE found.way <= 3) OVER ()
                           <> max(found.serial_number) FILTER (WHERE found.way <= 3) OVER () AS several
                    FROM (
                      SELECT 1 AS way, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.living
                         AND n.okta_device_id = a.okta_device_id
                      UNION ALL
                      SELECT 2, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.living AND n.udid = a.udid
                      UNION ALL
                      SELECT 3, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.living AND n.serial_number = a.serial_number
                      UNION ALL
                      SELECT 4, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.living AND n.udid = named.udid
                      UNION ALL
                      SELECT 5, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND n.living
                         AND n.serial_number = named.serial_number
                      UNION ALL
                      SELECT 6, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND NOT n.living
                         AND n.okta_device_id = a.okta_device_id
                      UNION ALL
                      SELECT 7, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND NOT n.living AND n.udid = a.udid
                      UNION ALL
                      SELECT 8, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND NOT n.living
                         AND n.serial_number = a.serial_number
                      UNION ALL
                      SELECT 9, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND NOT n.living AND n.udid = named.udid
                      UNION ALL
                      SELECT 10, n.* FROM devices n
                       WHERE n.tenant_id = p_tenant AND NOT n.living
                         AND n.serial_number = named.serial_number
                  ) AS found
                  ORDER BY found.way, found.deleted_at DESC LIMIT 1
              ) AS d ON true
              LEFT JOIN device_deliveries y
                ON y.tenant_id = p_tenant AND y.serial_number = d.serial_number
               AND y.integration_id = v_integration
              -- The newest by not_before, of those reported in this enrolment period and not cleared
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
                     AND (d.left_at IS NULL OR n.reported_at > d.left_at)
                     AND NOT EXISTS (
                         SELECT FROM device_certificates gone
                          WHERE gone.tenant_id = p_tenant AND gone.serial_number = d.serial_number
                            AND gone.integration_id = v_integration
                            AND gone.certificate_serial_number = ''
                            AND gone.reported_at >= n.reported_at)
                   ORDER BY n.not_before DESC, n.certificate_serial_number DESC
                   LIMIT 1
              ) AS c ON true
              -- Every record that has one of the identifiers: the requested ones, those of the device, and
              -- those on the record with the requested Okta id.
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
                             'users_read_at', r.users_read_at,
                             'users_added_at', r.users_added_at,
                             'used_at', r.used_at,
                             'use_seen_at', r.use_seen_at,
                             'identity_changed_at', r.identity_changed_at,
                             'disputed', r.disputed,
                             'names_another', r.names_another,
                             'observed_at', r.observed_at,
                             'follows_sweeps', r.follows_sweeps,
                             'users_observed_at', r.users_observed_at,
                             'not_found_at', r.not_found_at)) AS records
                    FROM (
                      SELECT a.okta_device_id AS id WHERE a.okta_device_id IS NOT NULL
                      UNION
                      SELECT d.okta_device_id WHERE d.okta_device_id IS NOT NULL
                      UNION
                      SELECT n.okta_device_id
                        FROM (SELECT a.udid UNION SELECT d.udid UNION SELECT named.udid) AS u (udid)
                        CROSS JOIN LATERAL (
                            SELECT m.okta_device_id FROM okta_devices m
                             WHERE m.tenant_id = p_tenant AND m.integration_id = v_integration
                               AND m.udid = u.udid) AS n
                      UNION
                      SELECT n.okta_device_id
                        FROM (SELECT a.serial_number UNION SELECT d.serial_number
                              UNION SELECT named.serial_number) AS s (serial_number)
                        CROSS JOIN LATERAL (
                            SELECT m.okta_device_id FROM okta_devices m
                             WHERE m.tenant_id = p_tenant AND m.integration_id = v_integration
                               AND m.serial_number = s.serial_number) AS n
                    ) AS wanted
                    -- OFFSET 0 keeps an index lookup per id when the planner underestimates the rows.
                    CROSS JOIN LATERAL (
                        SELECT n.*,
                               EXISTS (SELECT FROM devices other
                                   WHERE other.tenant_id = p_tenant AND other.living
                                     AND other.udid = n.udid
                                     AND other.serial_number IS DISTINCT FROM d.serial_number)
                               OR EXISTS (SELECT FROM devices other
                                   WHERE other.tenant_id = p_tenant AND other.living
                                     AND other.serial_number = n.serial_number
                                     AND other.serial_number IS DISTINCT FROM d.serial_number)
                               OR EXISTS (SELECT FROM devices other
                                   WHERE other.tenant_id = p_tenant AND other.living
                                     AND other.okta_device_id = n.okta_device_id
                                     AND other.serial_number IS DISTINCT FROM d.serial_number)
                               -- If the identifiers match no device, a record that matches a tombstone
                               -- does not count for them either.
                               OR d.serial_number IS NULL AND (
                                   EXISTS (SELECT FROM devices gone
                                       WHERE gone.tenant_id = p_tenant AND NOT gone.living
                                         AND gone.udid = n.udid)
                                   OR EXISTS (SELECT FROM devices gone
                                       WHERE gone.tenant_id = p_tenant AND NOT gone.living
                                         AND gone.serial_number = n.serial_number)
                                   OR EXISTS (SELECT FROM devices gone
                                       WHERE gone.tenant_id = p_tenant AND NOT gone.living
                                         AND gone.okta_device_id = n.okta_device_id))
                               AS names_another
                          FROM okta_devices n
                         WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                           AND n.okta_device_id = wanted.id
                        OFFSET 0
                    ) AS r
              ) AS o ON true
        LOOP
            ordinal := v_row.place;
            facts := v_row.answer;
            RETURN NEXT;
            v_ask_unnamed := v_ask_unnamed OR (v_row.platform = 'ios' AND v_row.records IS NULL);
        END LOOP;

        -- Only if the result matters. Reads at most 100 such records: if the MDM claims all of them, the
        -- org is assumed to have no others.
        IF v_ask_unnamed THEN
            SELECT coalesce(bool_or(unnamed.unclaimed), false) INTO v_unnamed FROM (
                SELECT NOT EXISTS (SELECT FROM devices n
                           WHERE n.tenant_id = p_tenant AND n.living
                             AND n.okta_device_id = r.okta_device_id) AS unclaimed
                  FROM okta_devices r
                 WHERE r.tenant_id = p_tenant AND r.integration_id = v_integration
                   AND r.platform = 'IOS' AND r.not_found_at IS NULL
                   AND (r.serial_number IS NULL OR r.serial_number !~ '^[A-Z0-9]{8,14}$')
                   AND (r.udid IS NULL OR r.udid !~ '^[0-9A-Fa-f-]{25,40}$')
                 LIMIT 100) AS unnamed;
        END IF;
    END IF;

    ordinal := 0;
    facts := json_build_object(
        'integrations', coalesce(v_integrations, '[]'::json),
        -- The database clock, which all stored times use; the clocks of replicas do not matter.
        'now', clock_timestamp(),
        'unmatched_ios', v_unnamed);
    RETURN NEXT;
END
$$;

DROP FUNCTION trust_orgs(text, uuid);
