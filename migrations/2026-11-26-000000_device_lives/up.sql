-- Device lives: when a device left the MDM, when it came back, and what was reported since.

ALTER TABLE devices
    -- False for a tombstone: the device is deleted, and nothing newer was reported.
    ADD COLUMN living                   boolean     NOT NULL
        GENERATED ALWAYS AS (enrollment_state IS NOT NULL) STORED,
    -- The latest time at which the device left: unenrolled, wiped, deleted and enrolled again, or changed
    -- its platform. Data reported up to then is ignored.
    ADD COLUMN left_at                  timestamptz,
    -- reported_at of the first 'enrolled' after left_at.
    ADD COLUMN enrolled_since           timestamptz,
    -- The latest enrolled_at ever reported.
    ADD COLUMN last_enrolled_at         timestamptz,
    ADD COLUMN check_in_last_seen_at    timestamptz,
    ADD COLUMN check_in_reported_at     timestamptz,
    ADD COLUMN lost_mode_enabled        boolean,
    ADD COLUMN lost_mode_reported_at    timestamptz,
    -- State for merging later reports; no query reads it:
    -- enrolled, continued: reported_at of the newest reports of 'enrolled', and of those that said
    --   continues. A departure that is reported late is inserted between them.
    -- ended_at: when the enrolment ended, as reported beside the state.
    -- enrollment_sent_at, lost_mode_sent_at, deleted_sent_at: the times as sent, if they were ahead of the
    --   clock. A report that gives trust replaces one that takes it away only if it is later by both times.
    -- enrolled_ahead, lost_mode_off_ahead: the latest of each whose time was ahead of the clock, as
    --   [stored, sent]. If such a report is sent again, the time of its first receipt counts.
    ADD COLUMN merge_state              jsonb;

-- Remains of a device after its tombstone is deleted: if the device comes back, it still left then.
CREATE TABLE device_departures (
    tenant_id           text        NOT NULL CHECK (tenant_id <> ''),
    serial_number       text        NOT NULL,
    left_at             timestamptz,
    deleted_at          timestamptz NOT NULL,
    last_enrolled_at    timestamptz,
    PRIMARY KEY (tenant_id, serial_number)
);

-- A snapshot of the whole fleet, sent by the MDM in pages.
CREATE TABLE device_snapshots (
    tenant_id       text        NOT NULL CHECK (tenant_id <> ''),
    snapshot_id     text        NOT NULL,
    -- When its first page was received: devices reported since then are not missing.
    began_at        timestamptz NOT NULL,
    completed_at    timestamptz,
    -- Number of devices that became unenrolled because the snapshot does not contain them.
    unenrolled      bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, snapshot_id)
);
CREATE TABLE device_snapshot_serials (
    tenant_id       text        NOT NULL,
    snapshot_id     text        NOT NULL,
    serial_number   text        NOT NULL,
    PRIMARY KEY (tenant_id, snapshot_id, serial_number),
    FOREIGN KEY (tenant_id, snapshot_id) REFERENCES device_snapshots (tenant_id, snapshot_id) ON DELETE CASCADE
);

-- Notes about what migrations changed in existing rows. `migrate` prints them.
CREATE TABLE migration_notes (
    version     text    PRIMARY KEY,
    note        text    NOT NULL
);

DO $$
DECLARE
    customers_table text;
BEGIN
    FOREACH customers_table IN ARRAY ARRAY[
        'device_departures', 'device_snapshots', 'device_snapshot_serials'
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
    ON device_departures, device_snapshots, device_snapshot_serials TO odt_app;

-- Existing rows: if an enrolment ever ended, the device left then, so that a device is not trusted
-- because its departure was not recorded. Only the last report of 'enrolled' is known.
ALTER TABLE devices NO FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    changed bigint;
BEGIN
    -- counts_from was the end of the last enrolment plus one microsecond.
    UPDATE devices SET left_at = greatest(enrollment_ended_at, counts_from - interval '1 microsecond')
     WHERE enrollment_ended_at IS NOT NULL OR counts_from IS NOT NULL;
    GET DIAGNOSTICS changed = ROW_COUNT;
    UPDATE devices
       SET last_enrolled_at = enrolled_at,
           merge_state = CASE WHEN enrollment_state = 'enrolled'
               THEN jsonb_build_object('enrolled', jsonb_build_array(enrollment_reported_at)) END,
           enrolled_since = CASE WHEN enrollment_state = 'enrolled' AND enrollment_reported_at > left_at
               THEN enrollment_reported_at END;
    INSERT INTO migration_notes (version, note) VALUES ('20261126000000', format(
        '%s device(s) whose enrolment ended some day count as having left then: they are trusted again '
        'after the next sign-in with FastPass', changed));
END
$$;
ALTER TABLE devices FORCE ROW LEVEL SECURITY;

-- Tombstones keep their identifiers.
DROP INDEX devices_udid_once_per_tenant;
DROP INDEX devices_okta_id_once_per_tenant;
CREATE UNIQUE INDEX devices_udid_once_per_tenant ON devices (tenant_id, udid)
    WHERE udid IS NOT NULL AND living;
CREATE UNIQUE INDEX devices_okta_id_once_per_tenant ON devices (tenant_id, okta_device_id)
    WHERE okta_device_id IS NOT NULL AND living;
CREATE INDEX devices_tombstones_by_udid ON devices (tenant_id, udid)
    WHERE udid IS NOT NULL AND NOT living;
CREATE INDEX devices_tombstones_by_okta_id ON devices (tenant_id, okta_device_id)
    WHERE okta_device_id IS NOT NULL AND NOT living;
