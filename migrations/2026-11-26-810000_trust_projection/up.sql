-- The facts of each device in the inventory, as facts_many returns them for its serial number: one row per
-- integration and device. A question reads one row instead of joining five tables.
--
-- Each transaction that changes a device or a record brings the rows up to date before it commits
-- (project_trust_facts). A missing row is not an error: the facts then come from facts_many. No foreign key,
-- because a cascade would change rows that no transaction accounts for.
CREATE TABLE trust_facts (
    tenant_id       text NOT NULL,
    integration_id  uuid NOT NULL,
    serial_number   text NOT NULL,
    -- JSON. Text, because it is only compared and returned.
    facts           text NOT NULL,
    -- An iPhone without a record. Its verdict also depends on whether the org has records without identifiers.
    unmatched_ios   boolean NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, serial_number)
);

ALTER TABLE trust_facts ENABLE ROW LEVEL SECURITY;
ALTER TABLE trust_facts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON trust_facts
    USING (tenant_id = current_setting('odt.tenant', true))
    WITH CHECK (tenant_id = current_setting('odt.tenant', true));

GRANT SELECT, INSERT, UPDATE, DELETE ON trust_facts TO odt_app;

-- Returns the rows that trust_facts should have for these serial numbers. The records are ordered, so that
-- equal facts are equal text.
CREATE FUNCTION defined_trust_facts(p_tenant text, p_integration uuid, p_serials text[])
RETURNS TABLE (serial_number text, facts text, unmatched_ios boolean)
LANGUAGE sql VOLATILE
SECURITY INVOKER
AS $$
    SELECT asked.serial_number,
           jsonb_build_object(
               'device', many.facts -> 'device',
               'several_devices', many.facts -> 'several_devices',
               'records', (SELECT jsonb_agg(r.record ORDER BY r.record ->> 'okta_device_id')
                             FROM json_array_elements(
                                 CASE json_typeof(many.facts -> 'records')
                                     WHEN 'array' THEN many.facts -> 'records' END) AS e (element)
                            CROSS JOIN LATERAL (SELECT e.element::jsonb) AS r (record)))::text,
           many.facts -> 'device' ->> 'platform' IS NOT DISTINCT FROM 'ios'
               AND json_typeof(many.facts -> 'records') = 'null'
      FROM facts_many(p_tenant, p_integration, p_serials, '{}', '{}') AS many
      JOIN unnest(p_serials) WITH ORDINALITY AS asked (serial_number, place)
        ON asked.place = many.ordinal
     WHERE json_typeof(many.facts -> 'device') = 'object'
$$;

-- Brings trust_facts up to date after changes of devices and records with these identifiers, before and
-- after the change. Must be the last statement of the transaction. Returns the number of written rows.
--
-- Facts of other devices change, too: a record names at most one device, so what one device claims is taken
-- from another one.
--
-- Two transactions of a tenant could each miss what the other wrote, so they take turns from here to their
-- commit. The lock comes last and nothing is waited for while it is held, so it cannot be part of a deadlock.
CREATE FUNCTION project_trust_facts(
    p_tenant          text,
    p_serials         text[],
    p_udids           text[],
    p_okta_device_ids text[],
    -- More devices than these are not computed at once. Their rows are deleted, and added again later.
    p_limit           integer
) RETURNS bigint
LANGUAGE plpgsql
SECURITY INVOKER
-- As in facts_many: each access is an index lookup, also in a table that was small when it was planned.
-- Nested loops are on, because the end of a sweep turns them off.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = on
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    v_serials     text[];
    v_integration uuid;
    v_rows        bigint;
    v_written     bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('trust_facts ' || p_tenant, 0));

    -- OFFSET 0 keeps an index lookup per identifier when the planner underestimates the rows.
    WITH serials AS (SELECT DISTINCT unnest(p_serials) AS serial_number),
         udids AS (SELECT DISTINCT unnest(p_udids) AS udid),
         ids AS (SELECT DISTINCT unnest(p_okta_device_ids) AS okta_device_id),
         records AS (
             SELECT r.* FROM ids CROSS JOIN integrations i
              CROSS JOIN LATERAL (
                  SELECT o.serial_number, o.udid, o.okta_device_id FROM okta_devices o
                   WHERE o.tenant_id = p_tenant AND o.integration_id = i.id
                     AND o.okta_device_id = ids.okta_device_id OFFSET 0) AS r
              WHERE i.tenant_id = p_tenant
             UNION
             SELECT r.* FROM serials
              CROSS JOIN LATERAL (
                  SELECT o.serial_number, o.udid, o.okta_device_id FROM okta_devices o
                   WHERE o.tenant_id = p_tenant AND o.serial_number = serials.serial_number
                  OFFSET 0) AS r
             UNION
             SELECT r.* FROM udids
              CROSS JOIN LATERAL (
                  SELECT o.serial_number, o.udid, o.okta_device_id FROM okta_devices o
                   WHERE o.tenant_id = p_tenant AND o.udid = udids.udid OFFSET 0) AS r),
         all_udids AS (SELECT udid FROM udids UNION SELECT udid FROM records WHERE udid IS NOT NULL),
         all_ids AS (SELECT okta_device_id FROM ids UNION SELECT okta_device_id FROM records)
    SELECT array_agg(DISTINCT changed.serial_number) INTO v_serials FROM (
        SELECT serial_number FROM serials
        UNION ALL
        SELECT serial_number FROM records WHERE serial_number IS NOT NULL
        UNION ALL
        SELECT found.serial_number FROM all_udids u CROSS JOIN LATERAL (
            SELECT d.serial_number FROM devices d
             WHERE d.tenant_id = p_tenant AND d.living AND d.udid = u.udid
            UNION ALL
            SELECT d.serial_number FROM devices d
             WHERE d.tenant_id = p_tenant AND NOT d.living AND d.udid = u.udid) AS found
        UNION ALL
        SELECT found.serial_number FROM all_ids a CROSS JOIN LATERAL (
            SELECT d.serial_number FROM devices d
             WHERE d.tenant_id = p_tenant AND d.living AND d.okta_device_id = a.okta_device_id
            UNION ALL
            SELECT d.serial_number FROM devices d
             WHERE d.tenant_id = p_tenant AND NOT d.living
               AND d.okta_device_id = a.okta_device_id) AS found
    ) AS changed
    -- Most records of an org may belong to devices that the MDM does not manage.
     CROSS JOIN LATERAL (
         SELECT FROM devices d
          WHERE d.tenant_id = p_tenant AND d.serial_number = changed.serial_number
         UNION ALL
         SELECT FROM integrations i CROSS JOIN LATERAL (
             SELECT FROM trust_facts t
              WHERE t.tenant_id = p_tenant AND t.integration_id = i.id
                AND t.serial_number = changed.serial_number OFFSET 0) AS projected
          WHERE i.tenant_id = p_tenant
          LIMIT 1) AS known;
    IF v_serials IS NULL THEN
        RETURN 0;
    END IF;

    FOR v_integration IN SELECT id FROM integrations WHERE tenant_id = p_tenant ORDER BY id LOOP
        IF cardinality(v_serials) > p_limit THEN
            DELETE FROM trust_facts t
             WHERE t.tenant_id = p_tenant AND t.integration_id = v_integration
               AND t.serial_number = ANY (v_serials);
            GET DIAGNOSTICS v_rows = ROW_COUNT;
        ELSE
            v_rows := write_trust_facts(p_tenant, v_integration, v_serials);
        END IF;
        v_written := v_written + v_rows;
    END LOOP;
    RETURN v_written;
END
$$;

-- Writes the rows of these serial numbers that differ from their definition, and deletes the rows of devices
-- that are not in the inventory. Returns the number of changed rows.
CREATE FUNCTION write_trust_facts(p_tenant text, p_integration uuid, p_serials text[]) RETURNS bigint
LANGUAGE plpgsql
SECURITY INVOKER
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = on
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    v_deleted bigint;
    v_written bigint;
BEGIN
    DELETE FROM trust_facts t
     WHERE t.tenant_id = p_tenant AND t.integration_id = p_integration
       AND t.serial_number = ANY (p_serials)
       AND NOT EXISTS (SELECT FROM devices d
           WHERE d.tenant_id = p_tenant AND d.serial_number = t.serial_number);
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    INSERT INTO trust_facts AS t (tenant_id, integration_id, serial_number, facts, unmatched_ios)
    SELECT p_tenant, p_integration, d.serial_number, d.facts, d.unmatched_ios
      FROM defined_trust_facts(p_tenant, p_integration, p_serials) AS d
     ORDER BY d.serial_number
    ON CONFLICT (tenant_id, integration_id, serial_number) DO UPDATE
       SET facts = excluded.facts, unmatched_ios = excluded.unmatched_ios
     WHERE t.facts <> excluded.facts;
    GET DIAGNOSTICS v_written = ROW_COUNT;
    RETURN v_deleted + v_written;
END
$$;

-- Returns the tenant's integrations, or the requested one, for the row 0 of facts_many: as JSON, how many they
-- are, and one of them. Without a named integration only connected ones are considered.
CREATE FUNCTION trust_orgs(
    p_tenant text, p_integration uuid, OUT integrations json, OUT count bigint, OUT integration uuid
)
LANGUAGE plpgsql
SECURITY INVOKER
AS $$
DECLARE
    v_connected bigint;
BEGIN
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
      INTO count, integration, integrations
      FROM (SELECT n.id, n.canonical_host, n.noted_status,
                   EXISTS (SELECT FROM credentials c
                       WHERE c.tenant_id = p_tenant AND c.integration_id = n.id) AS connected
              FROM integrations n
             WHERE n.tenant_id = p_tenant AND (p_integration IS NULL OR n.id = p_integration)) AS i
     WHERE p_integration IS NOT NULL OR i.connected OR v_connected = 0;
    -- Several integrations that are all in setup count as none.
    IF p_integration IS NULL AND v_connected = 0 AND count > 1 THEN
        count := 0;
        integration := NULL;
        integrations := NULL;
    END IF;
END
$$;

-- Returns what facts_many returns for these serial numbers, in one round trip: from trust_facts, or from
-- facts_many for devices without a row and for iPhones without a record.
CREATE FUNCTION projected_facts(p_tenant text, p_integration uuid, p_serials text[])
RETURNS TABLE (ordinal integer, facts text)
LANGUAGE plpgsql
SECURITY INVOKER
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    v_integrations json;
    v_count        bigint;
    v_integration  uuid;
    v_row          record;
    v_serials      text[] := '{}';
    v_places       integer[] := '{}';
BEGIN
    PERFORM set_config('odt.tenant', p_tenant, true);
    SELECT o.integrations, o.count, o.integration INTO v_integrations, v_count, v_integration
      FROM trust_orgs(p_tenant, p_integration) AS o;
    IF v_count <> 1 THEN
        RETURN QUERY
        SELECT f.ordinal, f.facts::text
          FROM facts_many(p_tenant, p_integration, p_serials, '{}', '{}') AS f;
        RETURN;
    END IF;
    FOR v_row IN
        SELECT a.serial_number, a.place::integer AS place, t.facts, t.unmatched_ios
          FROM unnest(p_serials) WITH ORDINALITY AS a (serial_number, place)
          -- OFFSET 0 keeps an index lookup per device while the planner takes the table for small.
          LEFT JOIN LATERAL (
              SELECT n.facts, n.unmatched_ios FROM trust_facts n
               WHERE n.tenant_id = p_tenant AND n.integration_id = v_integration
                 AND n.serial_number = a.serial_number OFFSET 0) AS t ON true
    LOOP
        IF v_row.facts IS NULL OR v_row.unmatched_ios THEN
            v_serials := v_serials || v_row.serial_number;
            v_places := v_places || v_row.place;
        ELSE
            ordinal := v_row.place;
            facts := v_row.facts;
            RETURN NEXT;
        END IF;
    END LOOP;
    IF cardinality(v_serials) > 0 THEN
        RETURN QUERY
        SELECT CASE WHEN f.ordinal = 0 THEN 0 ELSE v_places[f.ordinal] END, f.facts::text
          FROM facts_many(p_tenant, p_integration, v_serials, '{}', '{}') AS f;
    ELSE
        ordinal := 0;
        facts := json_build_object(
            'integrations', v_integrations, 'now', clock_timestamp(), 'unmatched_ios', false)::text;
        RETURN NEXT;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION defined_trust_facts(text, uuid, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION project_trust_facts(text, text[], text[], text[], integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION write_trust_facts(text, uuid, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION trust_orgs(text, uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION projected_facts(text, uuid, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION defined_trust_facts(text, uuid, text[]) TO odt_app;
GRANT EXECUTE ON FUNCTION project_trust_facts(text, text[], text[], text[], integer) TO odt_app;
GRANT EXECUTE ON FUNCTION write_trust_facts(text, uuid, text[]) TO odt_app;
GRANT EXECUTE ON FUNCTION trust_orgs(text, uuid) TO odt_app;
GRANT EXECUTE ON FUNCTION projected_facts(text, uuid, text[]) TO odt_app;

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
    v_integration  uuid;
    v_row          record;
    v_ask_unnamed  boolean := false;
    v_unnamed      boolean := false;
BEGIN
    PERFORM set_config('odt.tenant', p_tenant, true);

    SELECT o.integrations, o.count, o.integration INTO v_integrations, v_count, v_integration
      FROM trust_orgs(p_tenant, p_integration) AS o;

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
              -- The integration is compared last: without statistics of the table, the planner would scan
              -- all records of the integration for each identifier.
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
                            SELECT m.okta_device_id, m.integration_id FROM okta_devices m
                             WHERE m.tenant_id = p_tenant AND m.udid = u.udid OFFSET 0) AS n
                       WHERE n.integration_id = v_integration
                      UNION
                      SELECT n.okta_device_id
                        FROM (SELECT a.serial_number UNION SELECT d.serial_number
                              UNION SELECT named.serial_number) AS s (serial_number)
                        CROSS JOIN LATERAL (
                            SELECT m.okta_device_id, m.integration_id FROM okta_devices m
                             WHERE m.tenant_id = p_tenant AND m.serial_number = s.serial_number
                            OFFSET 0) AS n
                       WHERE n.integration_id = v_integration
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
