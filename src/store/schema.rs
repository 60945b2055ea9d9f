// @generated automatically by Diesel CLI.

diesel::table! {
    client_keys (tenant_id, integration_id, kid) {
        tenant_id -> Text,
        integration_id -> Uuid,
        kid -> Text,
        state -> Text,
        public_jwk -> Jsonb,
        private_key -> Bytea,
        key_id -> Text,
        created_at -> Timestamptz,
        created_by -> Text,
        activated_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    credentials (tenant_id, integration_id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        client_id -> Text,
        client_secret -> Nullable<Bytea>,
        key_id -> Nullable<Text>,
        version -> Int8,
        updated_at -> Timestamptz,
        updated_by -> Text,
        kind -> Text,
    }
}

diesel::table! {
    deployments (tenant_id, integration_id, platform, serial_number) {
        tenant_id -> Text,
        integration_id -> Uuid,
        platform -> Text,
        serial_number -> Text,
        config_version -> Int8,
        deployed_at -> Timestamptz,
    }
}

diesel::table! {
    device_certificates (tenant_id, serial_number, integration_id, certificate_serial_number) {
        tenant_id -> Text,
        serial_number -> Text,
        integration_id -> Uuid,
        certificate_serial_number -> Text,
        not_before -> Nullable<Timestamptz>,
        not_after -> Nullable<Timestamptz>,
        reported_at -> Timestamptz,
    }
}

diesel::table! {
    device_deliveries (tenant_id, serial_number, integration_id) {
        tenant_id -> Text,
        serial_number -> Text,
        integration_id -> Uuid,
        config_version -> Nullable<Int8>,
        delivered_at -> Nullable<Timestamptz>,
        reported_at -> Timestamptz,
    }
}

diesel::table! {
    device_departures (tenant_id, serial_number) {
        tenant_id -> Text,
        serial_number -> Text,
        left_at -> Nullable<Timestamptz>,
        deleted_at -> Timestamptz,
        last_enrolled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    device_snapshot_serials (tenant_id, snapshot_id, serial_number) {
        tenant_id -> Text,
        snapshot_id -> Text,
        serial_number -> Text,
    }
}

diesel::table! {
    device_snapshots (tenant_id, snapshot_id) {
        tenant_id -> Text,
        snapshot_id -> Text,
        began_at -> Timestamptz,
        completed_at -> Nullable<Timestamptz>,
        unenrolled -> Int8,
    }
}

diesel::table! {
    devices (tenant_id, serial_number) {
        tenant_id -> Text,
        serial_number -> Text,
        platform -> Nullable<Text>,
        udid -> Nullable<Text>,
        okta_device_id -> Nullable<Text>,
        identity_reported_at -> Nullable<Timestamptz>,
        enrollment_state -> Nullable<Text>,
        enrolled_at -> Nullable<Timestamptz>,
        enrollment_reported_at -> Nullable<Timestamptz>,
        okta_verify_installed_at -> Nullable<Timestamptz>,
        okta_verify_reported_at -> Nullable<Timestamptz>,
        counts_from -> Nullable<Timestamptz>,
        reported_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        udid_reported_at -> Nullable<Timestamptz>,
        okta_device_id_reported_at -> Nullable<Timestamptz>,
        enrollment_ended_at -> Nullable<Timestamptz>,
        macos_reported_at -> Nullable<Timestamptz>,
        ios_reported_at -> Nullable<Timestamptz>,
        living -> Bool,
        left_at -> Nullable<Timestamptz>,
        enrolled_since -> Nullable<Timestamptz>,
        last_enrolled_at -> Nullable<Timestamptz>,
        check_in_last_seen_at -> Nullable<Timestamptz>,
        check_in_reported_at -> Nullable<Timestamptz>,
        lost_mode_enabled -> Nullable<Bool>,
        lost_mode_reported_at -> Nullable<Timestamptz>,
        merge_state -> Nullable<Jsonb>,
    }
}

diesel::table! {
    event_hooks (tenant_id, integration_id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        hook_id -> Uuid,
        secret_sha256 -> Bytea,
        previous_sha256 -> Nullable<Bytea>,
        previous_valid_until -> Nullable<Timestamptz>,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        updated_by -> Text,
        verified_at -> Nullable<Timestamptz>,
        last_delivery_at -> Nullable<Timestamptz>,
        older_secrets -> Jsonb,
    }
}

diesel::table! {
    events (tenant_id, id) {
        tenant_id -> Text,
        id -> Uuid,
        integration_id -> Nullable<Uuid>,
        kind -> Text,
        actor -> Jsonb,
        detail -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    hook_routes (hook_id) {
        hook_id -> Uuid,
        tenant_id -> Text,
        integration_id -> Uuid,
    }
}

diesel::table! {
    idempotency_keys (tenant_id, key) {
        tenant_id -> Text,
        key -> Text,
        body_hash -> Bytea,
        integration_id -> Nullable<Uuid>,
        claimed_at -> Timestamptz,
    }
}

diesel::table! {
    integrations (tenant_id, id) {
        tenant_id -> Text,
        id -> Uuid,
        org_id -> Text,
        canonical_host -> Text,
        custom_host -> Nullable<Text>,
        engine -> Text,
        selected_platforms -> Jsonb,
        version -> Int8,
        secrets_entered -> Int8,
        created_at -> Timestamptz,
        created_by -> Jsonb,
        updated_at -> Timestamptz,
        config_versions -> Int8,
        noted_status -> Text,
        other_custom_hosts -> Jsonb,
        additional_sign_in_hosts -> Jsonb,
        hosts_confirmed_at -> Nullable<Timestamptz>,
        host_lost_since -> Nullable<Timestamptz>,
        host_lost_at -> Nullable<Timestamptz>,
        org_notices -> Jsonb,
    }
}

diesel::table! {
    jobs (tenant_id, integration_id, kind) {
        tenant_id -> Text,
        integration_id -> Uuid,
        kind -> Text,
        run_at -> Timestamptz,
        requested_at -> Timestamptz,
        claimed_at -> Nullable<Timestamptz>,
        lease_id -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        attempts -> Int4,
    }
}

diesel::table! {
    jwks_routes (jwks_id) {
        jwks_id -> Uuid,
        tenant_id -> Text,
        integration_id -> Uuid,
    }
}

diesel::table! {
    migration_notes (version) {
        version -> Text,
        note -> Text,
    }
}

diesel::table! {
    okta_budgets (org_id, bucket, share) {
        org_id -> Text,
        bucket -> Text,
        share -> Text,
        limit_per_minute -> Int4,
        tokens -> Float8,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    okta_devices (tenant_id, integration_id, okta_device_id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        okta_device_id -> Text,
        platform -> Text,
        status -> Text,
        serial_number -> Nullable<Text>,
        udid -> Nullable<Text>,
        display_name -> Nullable<Text>,
        created_at -> Timestamptz,
        last_updated_at -> Timestamptz,
        users -> Jsonb,
        users_known -> Bool,
        any_managed -> Bool,
        observed_at -> Timestamptz,
        follows_sweeps -> Bool,
        users_observed_at -> Nullable<Timestamptz>,
        read_by_id_at -> Nullable<Timestamptz>,
        users_read_at -> Nullable<Timestamptz>,
        users_put_off_until -> Nullable<Timestamptz>,
        not_found_at -> Nullable<Timestamptz>,
        removed_at -> Nullable<Timestamptz>,
        used_at -> Nullable<Timestamptz>,
        use_seen_at -> Nullable<Timestamptz>,
        use_base_updated_at -> Nullable<Timestamptz>,
        use_base_user_ids -> Nullable<Array<Nullable<Text>>>,
        users_added_at -> Nullable<Timestamptz>,
        lifecycle_at -> Nullable<Timestamptz>,
        identity_changed_at -> Nullable<Timestamptz>,
        previous_serial_number -> Nullable<Text>,
        previous_udid -> Nullable<Text>,
        disputed -> Bool,
    }
}

diesel::table! {
    okta_rereads (tenant_id, integration_id, okta_device_id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        okta_device_id -> Text,
        reason -> Text,
        due_at -> Timestamptz,
        asked_at -> Timestamptz,
    }
}

diesel::table! {
    okta_sweep_pages (tenant_id, integration_id, sweep_id, page) {
        tenant_id -> Text,
        integration_id -> Uuid,
        sweep_id -> Int8,
        page -> Int4,
        okta_device_ids -> Array<Nullable<Text>>,
        read_at -> Nullable<Timestamptz>,
        cursor -> Nullable<Text>,
        with_users -> Int4,
        emptied_ids -> Array<Nullable<Text>>,
    }
}

diesel::table! {
    okta_syncs (tenant_id, integration_id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        swept_at -> Nullable<Timestamptz>,
        sweep_completed_at -> Nullable<Timestamptz>,
        device_count -> Nullable<Int8>,
        sweep_id -> Int8,
        sweep_started_at -> Nullable<Timestamptz>,
        sweep_cursor -> Nullable<Text>,
        sweep_page -> Int4,
        sweep_done -> Int8,
        read_until -> Nullable<Timestamptz>,
        waiting_until -> Nullable<Timestamptz>,
        last_success_at -> Nullable<Timestamptz>,
        last_error_code -> Nullable<Text>,
        last_error_detail -> Nullable<Text>,
        last_error_at -> Nullable<Timestamptz>,
        read_cursor -> Nullable<Text>,
        read_began_at -> Nullable<Timestamptz>,
        read_latest -> Nullable<Timestamptz>,
        accept_shrunk -> Bool,
        shrunk_since -> Nullable<Timestamptz>,
        shrunk_count -> Nullable<Int8>,
        shrunk_sweep_id -> Nullable<Int8>,
        shrunk_started_at -> Nullable<Timestamptz>,
        users_vanished_since -> Nullable<Timestamptz>,
        mirror_count -> Nullable<Int8>,
        unmatched_count -> Nullable<Int8>,
    }
}

diesel::table! {
    platforms (tenant_id, integration_id, platform) {
        tenant_id -> Text,
        integration_id -> Uuid,
        platform -> Text,
        scep_url -> Nullable<Text>,
        challenge_url -> Nullable<Text>,
        username -> Nullable<Text>,
        secret -> Bytea,
        key_id -> Text,
        secret_version -> Int8,
        secret_updated_at -> Timestamptz,
        secret_updated_by -> Text,
        verified_at -> Nullable<Timestamptz>,
        ca -> Nullable<Jsonb>,
        refused_at -> Nullable<Timestamptz>,
        config_version -> Int8,
        certificate_version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        identifiers_since -> Nullable<Int8>,
    }
}

diesel::table! {
    prerequisite_attestations (tenant_id, integration_id, kind) {
        tenant_id -> Text,
        integration_id -> Uuid,
        kind -> Text,
        attested -> Bool,
        note -> Nullable<Text>,
        actor -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    prerequisite_findings (tenant_id, integration_id, kind) {
        tenant_id -> Text,
        integration_id -> Uuid,
        kind -> Text,
        outcome -> Text,
        reason -> Nullable<Text>,
        evidence -> Jsonb,
        checked_at -> Timestamptz,
    }
}

diesel::table! {
    scep_challenges (tenant_id, integration_id, id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        id -> Uuid,
        serial_number -> Text,
        asked_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sealing_keys (key_id) {
        key_id -> Text,
        first_used_at -> Timestamptz,
        check_value -> Nullable<Bytea>,
    }
}

diesel::table! {
    tenants (id) {
        id -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    trust_facts (tenant_id, integration_id, serial_number) {
        tenant_id -> Text,
        integration_id -> Uuid,
        serial_number -> Text,
        facts -> Text,
        unmatched_ios -> Bool,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    client_keys,
    credentials,
    deployments,
    device_certificates,
    device_deliveries,
    device_departures,
    device_snapshot_serials,
    device_snapshots,
    devices,
    event_hooks,
    events,
    hook_routes,
    idempotency_keys,
    integrations,
    jobs,
    jwks_routes,
    migration_notes,
    okta_budgets,
    okta_devices,
    okta_rereads,
    okta_sweep_pages,
    okta_syncs,
    platforms,
    prerequisite_attestations,
    prerequisite_findings,
    scep_challenges,
    sealing_keys,
    tenants,
    trust_facts,
);
