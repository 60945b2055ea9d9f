-- What the mirror remembers of a record beside its newest read: when it was used, changes of its
-- identifiers, and that it was removed. Sweeps that show too little, and what is made of them.

ALTER TABLE okta_devices
    -- Removed: not found by its id, and missing in an accepted sweep. The row stays for its identifiers
    -- and created_at.
    ADD COLUMN removed_at timestamptz,
    -- The newest last_updated_at that was a use of the device, and when the read began that showed it.
    ADD COLUMN used_at timestamptz,
    ADD COLUMN use_seen_at timestamptz,
    -- The last read that showed the record ACTIVE and with all of its users: the next one is compared
    -- with it.
    ADD COLUMN use_base_updated_at timestamptz,
    ADD COLUMN use_base_user_ids text[],
    -- The largest created of any user ever seen on the record.
    ADD COLUMN users_added_at timestamptz,
    -- A lifecycle event after what was last read, by Okta's clock.
    ADD COLUMN lifecycle_at timestamptz,
    -- The last_updated_at that came with the last change of serial number or UDID, and what was before.
    ADD COLUMN identity_changed_at timestamptz,
    ADD COLUMN previous_serial_number text,
    ADD COLUMN previous_udid text,
    -- It changed back within 30 days: it is no device's record.
    ADD COLUMN disputed boolean NOT NULL DEFAULT false;

-- Lists cut the users of a record at 20. The owner sees no tenant's rows while row-level security is
-- forced on it.
ALTER TABLE okta_devices NO FORCE ROW LEVEL SECURITY;
UPDATE okta_devices SET users_known = false WHERE users_known AND jsonb_array_length(users) >= 20;
ALTER TABLE okta_devices FORCE ROW LEVEL SECURITY;

-- iOS records that nothing tells apart: whether an org has one is asked at each question about an
-- iPhone without a record. An unfilled macro is no identifier.
CREATE INDEX okta_devices_nameless_ios ON okta_devices (tenant_id, integration_id)
    WHERE platform = 'IOS' AND not_found_at IS NULL
      AND (serial_number IS NULL OR serial_number !~ '^[A-Z0-9]{8,14}$')
      AND (udid IS NULL OR udid !~ '^[0-9A-Fa-f-]{25,40}$');
CREATE INDEX okta_devices_removed ON okta_devices (tenant_id, integration_id, removed_at)
    WHERE removed_at IS NOT NULL;

ALTER TABLE okta_syncs
    -- The next sweep is accepted however little it shows.
    ADD COLUMN accept_shrunk boolean NOT NULL DEFAULT false,
    -- Since when sweeps show too little, how many records the last one showed, and the first of them,
    -- with which later ones are compared.
    ADD COLUMN shrunk_since timestamptz,
    ADD COLUMN shrunk_count bigint,
    ADD COLUMN shrunk_sweep_id bigint,
    ADD COLUMN shrunk_started_at timestamptz,
    -- Since when sweeps show no users for most records that had some.
    ADD COLUMN users_vanished_since timestamptz;

ALTER TABLE okta_sweep_pages
    ADD COLUMN read_at timestamptz,
    -- By which cursor the page was read; empty for the first.
    ADD COLUMN cursor text,
    -- Records of the page that had users, and those of them that it shows without any.
    ADD COLUMN with_users integer NOT NULL DEFAULT 0,
    ADD COLUMN emptied_ids text[] NOT NULL DEFAULT '{}';

-- 'unconfirmed': a list shows it otherwise than a read by id did, or a sweep that was not accepted did
-- not show it.
ALTER TABLE okta_rereads DROP CONSTRAINT okta_rereads_reason_check;
ALTER TABLE okta_rereads ADD CONSTRAINT okta_rereads_reason_check
    CHECK (reason IN ('missing', 'hook', 'unconfirmed'));
