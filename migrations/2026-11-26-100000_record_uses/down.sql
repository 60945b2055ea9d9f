ALTER TABLE okta_rereads NO FORCE ROW LEVEL SECURITY;
UPDATE okta_rereads SET reason = 'hook' WHERE reason = 'unconfirmed';
ALTER TABLE okta_rereads FORCE ROW LEVEL SECURITY;
ALTER TABLE okta_rereads DROP CONSTRAINT okta_rereads_reason_check;
ALTER TABLE okta_rereads ADD CONSTRAINT okta_rereads_reason_check
    CHECK (reason IN ('missing', 'hook'));
ALTER TABLE okta_sweep_pages
    DROP COLUMN read_at, DROP COLUMN cursor, DROP COLUMN with_users, DROP COLUMN emptied_ids;
ALTER TABLE okta_syncs
    DROP COLUMN accept_shrunk, DROP COLUMN shrunk_since, DROP COLUMN shrunk_count,
    DROP COLUMN shrunk_sweep_id, DROP COLUMN shrunk_started_at, DROP COLUMN users_vanished_since;
-- The previous release does not know removed records.
ALTER TABLE okta_devices NO FORCE ROW LEVEL SECURITY;
DELETE FROM okta_devices WHERE removed_at IS NOT NULL;
ALTER TABLE okta_devices FORCE ROW LEVEL SECURITY;
DROP INDEX okta_devices_removed;
DROP INDEX okta_devices_nameless_ios;
ALTER TABLE okta_devices
    DROP COLUMN removed_at, DROP COLUMN used_at, DROP COLUMN use_seen_at,
    DROP COLUMN use_base_updated_at, DROP COLUMN use_base_user_ids, DROP COLUMN users_added_at,
    DROP COLUMN lifecycle_at, DROP COLUMN identity_changed_at, DROP COLUMN previous_serial_number,
    DROP COLUMN previous_udid, DROP COLUMN disputed;
