-- The data behind trust status: the MDM's inventory, the mirror of each org's devices, background jobs
-- that keep the mirror fresh, and event hooks that trigger re-reads.

-- ---------------------------------------------------------------- inventory
-- One row per serial number. A deleted device keeps its row as a tombstone for 30 days, so that a late
-- report does not resurrect it. Each group of a report has its own time; an older report never wins.
CREATE TABLE devices (
    tenant_id               text        NOT NULL CHECK (tenant_id <> ''),
    serial_number           text        NOT NULL,
    -- Null only if an unknown device was deleted.
    platform                text        CHECK (platform IN ('macos', 'ios')),
    udid                    text,
    okta_device_id          text,
    -- When the identifiers were last reported.
    identity_reported_at    timestamptz,
    enrollment_state        text        CHECK (enrollment_state IN ('enrolled', 'unenrolled', 'wiped')),
    enrolled_at             timestamptz,
    enrollment_reported_at  timestamptz,
    okta_verify_installed_at timestamptz,
    okta_verify_reported_at timestamptz,
    -- Data reported before this belongs to an earlier enrolment and is ignored.
    counts_from             timestamptz,
    -- The newest report that was accepted.
    reported_at             timestamptz NOT NULL,
    -- The device is deleted unless a newer report follows.
    deleted_at              timestamptz,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    -- State of the merge, so that its result does not depend on the order of reports. counts_from and
    -- identity_reported_at are derived from it.
    -- Each identifier has its own time, because a report may contain only one of them.
    udid_reported_at        timestamptz,
    okta_device_id_reported_at timestamptz,
    -- When the last enrolment ended: the newest unenrolled, wiped or deleted.
    enrollment_ended_at     timestamptz,
    -- The newest report for each platform: after a change of platform, data of the other platform
    -- belongs to the previous enrolment.
    macos_reported_at       timestamptz,
    ios_reported_at         timestamptz,
    PRIMARY KEY (tenant_id, serial_number)
);
CREATE UNIQUE INDEX devices_udid_once_per_tenant ON devices (tenant_id, udid)
    WHERE udid IS NOT NULL;
CREATE UNIQUE INDEX devices_okta_id_once_per_tenant ON devices (tenant_id, okta_device_id)
    WHERE okta_device_id IS NOT NULL;

-- What the MDM delivered to a device for an integration. The inventory outlives integrations, so there
-- is no foreign key to them. Null values: the MDM removed it.
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

-- Certificates of a device; the one with the newest not_before is current. The row with an empty serial
-- number holds the time at which all older ones were cleared.
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
-- For the work list of expiring certificates.
CREATE INDEX device_certificates_by_end
    ON device_certificates (tenant_id, integration_id, not_after);

-- ---------------------------------------------------------------- mirror
-- A device record of the org. The time of the last sweep is in okta_syncs instead, so that a sweep does
-- not rewrite every row.
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
    -- [{"id", "login", "management_status"}], ordered by id; the status is null if Okta omitted it.
    users           jsonb       NOT NULL,
    -- Whether the management status of every user is known.
    users_known     boolean     NOT NULL,
    any_managed     boolean     NOT NULL,
    -- When the read began that last changed this row, or that returned it outside of a sweep.
    observed_at     timestamptz NOT NULL,
    -- Whether the last sweep confirmed the row, so that the row is as fresh as the sweep. False if the
    -- sweep did not return the device, or returned data that contradicts a later read.
    follows_sweeps  boolean     NOT NULL DEFAULT true,
    -- When the users were last read, if lists omit their management status; null if the users are as
    -- fresh as the row.
    users_observed_at timestamptz,
    -- The last read by id, and of /users. Lists lag behind such reads and must not overwrite them.
    read_by_id_at   timestamptz,
    users_read_at   timestamptz,
    -- Reading its users failed: postponed until then.
    users_put_off_until timestamptz,
    -- When Okta answered 404 for the id.
    not_found_at    timestamptz,
    PRIMARY KEY (tenant_id, integration_id, okta_device_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX okta_devices_by_serial ON okta_devices (tenant_id, serial_number, integration_id)
    WHERE serial_number IS NOT NULL;
CREATE INDEX okta_devices_by_udid ON okta_devices (tenant_id, udid, integration_id)
    WHERE udid IS NOT NULL;
-- Records without a serial number.
CREATE INDEX okta_devices_nameless ON okta_devices (tenant_id, integration_id)
    WHERE serial_number IS NULL;
-- Records that wait for a sign-in or for data that Okta omitted.
CREATE INDEX okta_devices_unmanaged ON okta_devices (tenant_id, integration_id, users_read_at)
    WHERE NOT any_managed OR NOT users_known OR users_observed_at IS NOT NULL;

-- Progress and freshness of an integration's mirror.
CREATE TABLE okta_syncs (
    tenant_id           text        NOT NULL,
    integration_id      uuid        NOT NULL,
    -- When the last complete sweep began.
    swept_at            timestamptz,
    sweep_completed_at  timestamptz,
    -- Number of records in the last complete sweep.
    device_count        bigint,
    -- The sweep in progress.
    sweep_id            bigint      NOT NULL DEFAULT 0,
    sweep_started_at    timestamptz,
    -- Path and query of the next page; null before the first one.
    sweep_cursor        text,
    sweep_page          integer     NOT NULL DEFAULT 0,
    sweep_done          bigint      NOT NULL DEFAULT 0,
    -- The lastUpdated up to which incremental reads are complete.
    read_until          timestamptz,
    waiting_until       timestamptz,
    last_success_at     timestamptz,
    last_error_code     text,
    last_error_detail   text,
    last_error_at       timestamptz,
    -- Where to resume an incremental read that ran out of budget: path and query of the next page, null
    -- before the first one. Its search does not change until its last page is read.
    read_cursor         text,
    -- When the first page was read, by Okta's clock.
    read_began_at       timestamptz,
    -- The largest lastUpdated on its pages so far.
    read_latest         timestamptz,
    PRIMARY KEY (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- The devices on each page of a sweep in progress. Devices on no page are then read by id.
CREATE TABLE okta_sweep_pages (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    sweep_id        bigint      NOT NULL,
    page            integer     NOT NULL,
    okta_device_ids text[]      NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, sweep_id, page),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- Queue of devices to re-read by id. A device is queued only once.
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
-- Each delivery counts the devices queued by event hooks, among many more queued for other reasons.
CREATE INDEX okta_rereads_of_hooks ON okta_rereads (tenant_id, integration_id, okta_device_id)
    WHERE reason = 'hook';

-- ---------------------------------------------------------------- event hooks
-- The secret is shown once; only its SHA-256 digest is stored.
CREATE TABLE event_hooks (
    tenant_id               text        NOT NULL,
    integration_id          uuid        NOT NULL,
    hook_id                 uuid        NOT NULL,
    secret_sha256           bytea       NOT NULL,
    -- The previous secret, valid for a day after a rotation.
    previous_sha256         bytea,
    previous_valid_until    timestamptz,
    version                 bigint      NOT NULL DEFAULT 1,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    updated_by              text        NOT NULL,
    -- When Okta verified the URL, and when it last delivered.
    verified_at             timestamptz,
    last_delivery_at        timestamptz,
    PRIMARY KEY (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations (tenant_id, id) ON DELETE CASCADE
);

-- ---------------------------------------------------------------- work
-- The three tables below hold no customer data and have no policy: a worker claims a job before it
-- knows the tenant, a hook is looked up before the tenant is known, and all tenants that connect an org
-- share its rate limit.

-- Background jobs, one row per integration and kind. A worker that claims a job holds its lease until
-- lease_until; after that, any worker may claim it. integration_id is nil for jobs of the tenant.
CREATE TABLE jobs (
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL,
    kind            text        NOT NULL,
    run_at          timestamptz NOT NULL,
    requested_at    timestamptz NOT NULL DEFAULT now(),
    claimed_at      timestamptz,
    lease_id        uuid,
    lease_until     timestamptz,
    -- Consecutive failures.
    attempts        integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, integration_id, kind)
);
CREATE INDEX jobs_due ON jobs (run_at);

-- Maps the random id in a hook's URL to its tenant and integration.
CREATE TABLE hook_routes (
    hook_id         uuid        PRIMARY KEY,
    tenant_id       text        NOT NULL,
    integration_id  uuid        NOT NULL
);

-- Our share of an org's rate limits, as token buckets. bucket is one of Okta's rate limit buckets, share
-- is what we use it for.
CREATE TABLE okta_budgets (
    org_id          text        NOT NULL,
    bucket          text        NOT NULL,
    share           text        NOT NULL,
    -- The org's requests per minute, from Okta's last rate limit header.
    limit_per_minute integer    NOT NULL,
    tokens          double precision NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, bucket, share)
);

-- The last reported status, to detect changes.
ALTER TABLE integrations ADD COLUMN noted_status text NOT NULL DEFAULT 'setup';

-- Start to mirror existing integrations that have credentials. While row-level security is forced, the
-- owner sees no rows.
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
