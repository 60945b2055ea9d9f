DROP INDEX devices_tombstones_by_okta_id;
DROP INDEX devices_tombstones_by_udid;
DROP INDEX devices_okta_id_once_per_tenant;
DROP INDEX devices_udid_once_per_tenant;
-- Tombstones had no identifiers.
ALTER TABLE devices NO FORCE ROW LEVEL SECURITY;
UPDATE devices SET udid = NULL, okta_device_id = NULL WHERE NOT living;
ALTER TABLE devices FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX devices_udid_once_per_tenant ON devices (tenant_id, udid)
    WHERE udid IS NOT NULL;
CREATE UNIQUE INDEX devices_okta_id_once_per_tenant ON devices (tenant_id, okta_device_id)
    WHERE okta_device_id IS NOT NULL;
DROP TABLE migration_notes;
DROP TABLE device_snapshot_serials;
DROP TABLE device_snapshots;
DROP TABLE device_departures;
ALTER TABLE devices
    DROP COLUMN merge_state,
    DROP COLUMN lost_mode_reported_at,
    DROP COLUMN lost_mode_enabled,
    DROP COLUMN check_in_reported_at,
    DROP COLUMN check_in_last_seen_at,
    DROP COLUMN last_enrolled_at,
    DROP COLUMN enrolled_since,
    DROP COLUMN left_at,
    DROP COLUMN living;
