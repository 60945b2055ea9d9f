-- History of the mirror's records: uses, changes of identifiers, and removal. Also the state of sweeps
-- that returned too few records.

ALTER TABLE okta_devices
    -- Removed: 404 by its id, and missing in an accepted sweep. The row keeps its identifiers and
    -- created_at.
    ADD COLUMN removed_at timestamptz,
    -- The newest last_updated_at that was a use of the device, and when the read began that returned it.
    ADD COLUMN used_at timestamptz,
    ADD COLUMN use_seen_at timestamptz,
    -- The last read that returned the record as ACTIVE with all of its users, for comparison with the
    -- next one.
    ADD COLUMN use_base_updated_at timestamptz,
    ADD COLUMN use_base_user_ids text[],
    -- The largest created of any user ever seen on the record.
    ADD COLUMN users_added_at timestamptz,
    -- A lifecycle event later than the last read, by Okta's clock.
    ADD COLUMN lifecycle_at timestamptz,
    -- The last_updated_at of the last change of serial number or UDID, and the previous values.
    ADD COLUMN identity_changed_at timestamptz,
    ADD COLUMN previous_serial_number text,
    ADD COLUMN previous_udid text,
    -- The identifiers changed back within 30 days, so the record belongs to no device.
    ADD COLUMN disputed boolean NOT NULL DEFAULT false;

-- Lists contain at most 20 users of a record. While row-level security is forced, the owner sees no rows.
ALTER TABLE okta_devices NO FORCE ROW LEVEL SECURITY;
UPDATE okta_devices SET users_known = false WHERE users_known AND jsonb_array_length(users) >= 20;
ALTER TABLE okta_devices FORCE ROW LEVEL SECURITY;

-- iOS records without usable identifiers. Each trust question about an iPhone without a record checks
-- whether the org has one. An unexpanded macro is not an identifier.
CREATE INDEX okta_devices_nameless_ios ON okta_devices (tenant_id, integration_id)
    WHERE platform = 'IOS' AND not_found_at IS NULL
      AND (serial_number IS NULL OR serial_number !~ '^[A-Z0-9]{8,14}$')
      AND (udid IS NULL OR udid !~ '^[0-9A-Fa-f-]{25,40}$');
CREATE INDEX okta_devices_removed ON okta_devices (tenant_id, integration_id, removed_at)
    WHERE removed_at IS NOT NULL;

ALTER TABLE okta_syncs
    -- The next sweep is accepted however few records it returns.
    ADD COLUMN accept_shrunk boolean NOT NULL DEFAULT false,
    -- Since when sweeps return too few records, how many the last one returned, and the first such sweep,
    -- with which later ones are compared.
    ADD COLUMN shrunk_since timestamptz,
    ADD COLUMN shrunk_count bigint,
    ADD COLUMN shrunk_sweep_id bigint,
    ADD COLUMN shrunk_started_at timestamptz,
    -- Since when sweeps return no users for most records that had some.
    ADD COLUMN users_vanished_since timestamptz;

ALTER TABLE okta_sweep_pages
    ADD COLUMN read_at timestamptz,
    -- The cursor of the page; null for the first one.
    ADD COLUMN cursor text,
    -- Records of the page that had users, and those of them that the page returned without any.
    ADD COLUMN with_users integer NOT NULL DEFAULT 0,
    ADD COLUMN emptied_ids text[] NOT NULL DEFAULT '{}';

-- 'unconfirmed': a list contradicts a read by id, or a sweep that was not accepted did not return it.
ALTER TABLE okta_rereads DROP CONSTRAINT okta_rereads_reason_check;
ALTER TABLE okta_rereads ADD CONSTRAINT okta_rereads_reason_check
    CHECK (reason IN ('missing', 'hook', 'unconfirmed'));
