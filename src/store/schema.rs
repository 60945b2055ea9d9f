// @generated automatically by Diesel CLI.

diesel::table! {
    credentials (tenant_id, integration_id) {
        tenant_id -> Text,
        integration_id -> Uuid,
        client_id -> Text,
        client_secret -> Bytea,
        key_id -> Text,
        version -> Int8,
        updated_at -> Timestamptz,
        updated_by -> Text,
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
    }
}

diesel::table! {
    tenants (id) {
        id -> Text,
        created_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    credentials,
    deployments,
    events,
    idempotency_keys,
    integrations,
    platforms,
    prerequisite_attestations,
    prerequisite_findings,
    scep_challenges,
    sealing_keys,
    tenants,
);
