-- What trust status rests on: the MDM's inventory, the mirror of each org's devices, the work that
-- keeps the mirror fresh, and the event hooks that say where to look again.

-- ---------------------------------------------------------------- inventory
-- One row per serial number: also of a device that was deleted, for 30 days, so that a late report
-- does not bring it back. Each group of a report has its own time; an older one never wins.
CREATE TABLE devices (
    tenant_id               text        NOT NULL CHECK (tenant_id <> ''),
    serial_number           text        NOT NULL,
    -- Empty only where a device was deleted that nobody had reported.
    platform                text        CHECK (platform IN ('macos', 'ios')),
    udid                    text,
    okta_device_id          text,
    -- When the identifiers were last told.
    identity_reported_at    timestamptz,
    enrollment_state        text        CHECK (enrollment_state IN ('enrolled', 'unenrolled', 'wiped')),
    enrolled_at             timestamptz,
    enrollment_reported_at  timestamptz,
    okta_verify_installed_at timestamptz,
    okta_verify_reported_at timestamptz,
    -- What was reported before this belongs to an earlier enrolment and counts no more.
    counts_from             timestamptz,
    -- The newest report that was accepted.
    reported_at             timestamptz NOT NULL,
    -- The device is deleted as long as nothing newer was reported.
    deleted_at              timestamptz,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    -- What the merge of reports has to remember so that it ends in the same state in whatever order
    -- they come in: counts_from and identity_reported_at follow from these.
    -- Each identifier has its own time: a report may tell of one alone.
    udid_reported_at        timestamptz,
    okta_device_id_reported_at timestamptz,
    -- When an enrolment last ended: the newest unenrolled, wiped or deleted.
    enrollment_ended_at     timestamptz,
    -- The newest that was reported of the device as one of each platform: when the platform changes,
    -- all of the other one belongs to the enrolment before.
    macos_reported_at       timestamptz,
    ios_reported_at         timestamptz,
    PRIMARY KEY (tenant_id, serial_number)
);
CREATE UNIQUE INDEX devices_udid_once_per_tenant ON devices (tenant_id, udid)
    WHERE udid IS NOT NULL;
CREATE UNIQUE INDEX devices_okta_id_once_per_tenant ON devices (tenant_id, okta_device_id)
    WHERE okta_device_id IS NOT NULL;

-- What was delivered to a device for an integration. Inventory outlives integrations: no foreign key
-- to them. Empty values: the MDM has taken it away.
CREATE TABLE device_deliveries (
    tenant_id       text        NOT NULL,
    serial_number   text        NOT NULL,
    integration_id  uuid        NOT NULL,
    config_version  bigint,
    delivered_at    timestamptz,
    reported_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, serial_number, integration_id),
    FOREIGN KEY (tenant_id, serial_number) REFERENCES devices (tenant_id, serial_number) ON DELETE CASCADE
);
CREATE INDEX device_deliveries_by_integration ON device_deliveries (tenant_id, integration_id);

-- Certificates of a device; the one with the newest not_before counts. The row with the empty serial
-- number says when all older ones were taken away.
CREATE TABLE device_certificates (
    tenant_id       text        NOT NULL,
    serial_number   text        NOT NULL,
    integration_id  uuid        NOT NULL,
    certificate_serial_number text NOT NULL,
    not_before      timestamptz,
    not_after       timestamptz,
    reported_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, serial_number, integration_id, certificate_serial_number),
    FOREIGN KEY (tenant_id, serial_number) REFERENCES devices (tenant_id, serial_number) ON DELETE CASCADE,
    CHECK (certificate_serial_number = '' OR (not_before IS NOT NULL AND not_after IS NOT NULL))
);
-- For the work list: which certificates are near their end.
CREATE INDEX device_certificates_by_end
    ON device_certificates (tenant_id, integration_id, not_after);

-- ---------------------------------------------------------------- mirror
-- A device record of the org. Times of sweeps are not in it: they would rewrite every row each time.
CREATE TABLE okta_devices (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    okta_device_id  text        NOT NULL,
    platform        text        NOT NULL,
    status          text        NOT NULL,
    serial_number   text,
    udid            text,
    display_name    text,
    created_at      timestamptz NOT NULL,
    last_updated_at timestamptz NOT NULL,
    -- [{"id", "login", "management_status"}], by id; the status is null where Okta left it out.
    users           jsonb       NOT NULL,
    -- Whether Okta told of every user how he is managed.
    users_known     boolean     NOT NULL,
    any_managed     boolean     NOT NULL,
    -- When the read began that last changed this very row, or that showed it apart from sweeps.
    observed_at     timestamptz NOT NULL,
    -- Whether the last sweep confirmed the row, so that it is as fresh as the sweep. Not so where a sweep
    -- did not show the device, or showed it otherwise than what is known from a later read.
    follows_sweeps  boolean     NOT NULL DEFAULT true,
    -- When the users were last told, where lists leave out how they are managed; empty where the users
    -- are as fresh as the row.
    users_observed_at timestamptz,
    -- When it was last read by its id, and when its users were. A list lags behind such a read and must
    -- not undo it.
    read_by_id_at   timestamptz,
    users_read_at   timestamptz,
    -- Its users could not be read: others go first until then.
    users_put_off_until timestamptz,
    -- When Okta said that it has no such device.
    not_found_at    timestamptz,
    PRIMARY KEY (tenant_id, integration_id, okta_device_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX okta_devices_by_serial ON okta_devices (tenant_id, serial_number, integration_id)
    WHERE serial_number IS NOT NULL;
CREATE INDEX okta_devices_by_udid ON okta_devices (tenant_id, udid, integration_id)
    WHERE udid IS NOT NULL;
-- Records that no serial number can match.
CREATE INDEX okta_devices_nameless ON okta_devices (tenant_id, integration_id)
    WHERE serial_number IS NULL;
-- Records that wait for a sign-in or for what Okta left out.
CREATE INDEX okta_devices_unmanaged ON okta_devices (tenant_id, integration_id, users_read_at)
    WHERE NOT any_managed OR NOT users_known OR users_observed_at IS NOT NULL;

-- How far the mirror of an integration has come, and how old it is.
CREATE TABLE okta_syncs (
    tenant_id           text        NOT NULL,
    integration_id      uuid        NOT NULL,
    -- When the last complete sweep began: no record of the mirror is older than this.
    swept_at            timestamptz,
    sweep_completed_at  timestamptz,
    -- Records that the last complete sweep showed.
    device_count        bigint,
    -- The sweep that runs or waits to go on.
    sweep_id            bigint      NOT NULL DEFAULT 0,
    sweep_started_at    timestamptz,
    -- The address of the next page, without scheme and host; empty before the first one.
    sweep_cursor        text,
    sweep_page          integer     NOT NULL DEFAULT 0,
    sweep_done          bigint      NOT NULL DEFAULT 0,
    -- Up to which lastUpdated incremental reads have come.
    read_until          timestamptz,
    waiting_until       timestamptz,
    last_success_at     timestamptz,
    last_error_code     text,
    last_error_detail   text,
    last_error_at       timestamptz,
    -- Where an incremental read goes on that the budget interrupted: what it asks for stays the same
    -- until its last page is read. The address of the next page, without scheme and host; empty before
    -- the first one.
    read_cursor         text,
    -- When the first page was read, by Okta's clock.
    read_began_at       timestamptz,
    -- The largest lastUpdated that its pages have shown.
    read_latest         timestamptz,
    PRIMARY KEY (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- What a running sweep has seen, a row for each page: what is in no page is read by its id.
CREATE TABLE okta_sweep_pages (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    sweep_id        bigint      NOT NULL,
    page            integer     NOT NULL,
    okta_device_ids text[]      NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, sweep_id, page),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- Devices to be read again by their id, each once however often it was asked for.
CREATE TABLE okta_rereads (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    okta_device_id  text        NOT NULL,
    reason          text        NOT NULL CHECK (reason IN ('missing', 'hook')),
    due_at          timestamptz NOT NULL DEFAULT now(),
    asked_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, okta_device_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX okta_rereads_due ON okta_rereads (tenant_id, integration_id, due_at);
-- How many devices wait because of an event hook is asked at each delivery, among many more that wait
-- for other reasons.
CREATE INDEX okta_rereads_of_hooks ON okta_rereads (tenant_id, integration_id, okta_device_id)
    WHERE reason = 'hook';

-- ---------------------------------------------------------------- event hooks
-- The secret is shown once; kept is its SHA-256 alone, for comparing.
CREATE TABLE event_hooks (
    tenant_id               text        NOT NULL,
    integration_id          uuid        NOT NULL,
    hook_id                 uuid        NOT NULL,
    secret_sha256           bytea       NOT NULL,
    -- The secret before the last rotation, for a day.
    previous_sha256         bytea,
    previous_valid_until    timestamptz,
    version                 bigint      NOT NULL DEFAULT 1,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    updated_by              text        NOT NULL,
    -- When Okta verified the address, and when it last delivered.
    verified_at             timestamptz,
    last_delivery_at        timestamptz,
    PRIMARY KEY (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- ---------------------------------------------------------------- work
-- No customer data, and so no policy in the three tables below: a worker claims here before it knows
-- whose work it is, a hook is found before its tenant is known, and an org's rate is one rate
-- however many tenants have connected it.

-- Work that must not be lost, a row per integration and kind. Whoever claims it holds the lease until
-- lease_until; a lease that has ended is anybody's. integration_id is nil for work of the tenant.
CREATE TABLE jobs (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    kind            text        NOT NULL,
    run_at          timestamptz NOT NULL,
    requested_at    timestamptz NOT NULL DEFAULT now(),
    claimed_at      timestamptz,
    lease_id        uuid,
    lease_until     timestamptz,
    -- Failures in a row.
    attempts        integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, integration_id, kind)
);
CREATE INDEX jobs_due ON jobs (run_at);

-- Which tenant and integration the random id in a hook's address stands for.
CREATE TABLE hook_routes (
    hook_id         uuid        PRIMARY KEY,
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL
);

-- Our share of an org's rate as token buckets: `bucket` is what Okta counts by itself, `share` what
-- we use it for.
CREATE TABLE okta_budgets (
    org_id          text        NOT NULL,
    bucket          text        NOT NULL,
    share           text        NOT NULL,
    -- What Okta last said that the whole org may ask in a minute.
    limit_per_minute integer    NOT NULL,
    tokens          double precision NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, bucket, share)
);

-- The status as it was last told of, to notice when it changes.
ALTER TABLE integrations ADD COLUMN noted_status text NOT NULL DEFAULT 'setup';

-- Integrations that have credentials already begin to be mirrored. The owner sees no tenant's rows
-- while row-level security is forced on it.
ALTER TABLE credentials NO FORCE ROW LEVEL SECURITY;
INSERT INTO jobs (tenant_id, integration_id, kind, run_at)
    SELECT tenant_id, integration_id, kind, now()
      FROM credentials, unnest(ARRAY['sweep', 'incremental', 'rereads', 'recheck']) AS kind;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
INSERT INTO jobs (tenant_id, integration_id, kind, run_at)
    SELECT id, '00000000-0000-0000-0000-000000000000', 'housekeeping', now() FROM tenants;

DO $$
DECLARE
    customers_table text;
BEGIN
    FOREACH customers_table IN ARRAY ARRAY[
        'devices', 'device_deliveries', 'device_certificates', 'okta_devices', 'okta_syncs',
        'okta_sweep_pages', 'okta_rereads', 'event_hooks'
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
    ON devices, device_deliveries, device_certificates, okta_devices, okta_syncs, okta_sweep_pages,
       okta_rereads, event_hooks, jobs, hook_routes, okta_budgets
    TO odt_app;
