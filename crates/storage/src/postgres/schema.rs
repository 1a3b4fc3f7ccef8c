//! The tables, as PostgreSQL has them.

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        email_canonical -> Text,
        name -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        default_workspace_id -> Nullable<Uuid>,
        email_verified_at -> Nullable<Timestamptz>,
        erased_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Uuid,
        name -> Text,
        plan -> Text,
        created_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        require_second_factor -> Bool,
        leak_response -> Nullable<Text>,
    }
}

diesel::table! {
    memberships (workspace_id, user_id) {
        workspace_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        #[sql_name = "type"]
        kind -> Text,
        home_workspace_id -> Nullable<Uuid>,
        name -> Text,
        scopes -> Jsonb,
        state -> Text,
        revoked_at -> Nullable<Timestamptz>,
        revocation_reason -> Nullable<Text>,
        expires_at -> Nullable<Timestamptz>,
        allowed_cidrs -> Jsonb,
        external_id -> Nullable<Text>,
        metadata -> Text,
        display_start -> Text,
        display_last_four -> Text,
        created_by -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        owner_id -> Nullable<Uuid>,
        leak_reported_at -> Nullable<Timestamptz>,
        limit_minute -> Nullable<Integer>,
        limit_hour -> Nullable<Integer>,
    }
}

diesel::table! {
    api_key_workspaces (key_id, workspace_id) {
        key_id -> Uuid,
        workspace_id -> Uuid,
    }
}

diesel::table! {
    api_key_secrets (digest) {
        digest -> Binary,
        key_id -> Uuid,
        pepper_id -> Text,
        format -> Text,
        created_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        display_start -> Text,
        display_last_four -> Text,
        last_used_at -> Nullable<Timestamptz>,
        last_used_address -> Nullable<Text>,
        last_used_user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    change_head (id) {
        id -> SmallInt,
        seq -> BigInt,
    }
}

diesel::table! {
    changes (seq) {
        seq -> BigInt,
        kind -> Text,
        entity_id -> Uuid,
        workspace_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    idempotent_requests (caller, name) {
        caller -> Text,
        name -> Text,
        request -> Binary,
        key_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        token -> Binary,
        user_id -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        proved_at -> Timestamptz,
        second_factor -> Bool,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        sso_connection -> Nullable<Text>,
        sso_workspace_id -> Nullable<Uuid>,
        sso_provider_session -> Nullable<Text>,
        sso_confined -> Bool,
        sso_second_factor -> Bool,
    }
}

diesel::table! {
    devices (token) {
        token -> Binary,
        user_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sign_in_challenges (token) {
        token -> Binary,
        user_id -> Uuid,
        device -> Nullable<Binary>,
        tries -> SmallInt,
        expires_at -> Timestamptz,
        sso_connection -> Nullable<Text>,
        sso_workspace_id -> Nullable<Uuid>,
        sso_provider_session -> Nullable<Text>,
        sso_confined -> Bool,
        sso_second_factor -> Bool,
    }
}

diesel::table! {
    totp_factors (user_id) {
        user_id -> Uuid,
        secret -> Text,
        confirmed_at -> Nullable<Timestamptz>,
        last_step -> Nullable<BigInt>,
    }
}

diesel::table! {
    recovery_codes (user_id, digest) {
        user_id -> Uuid,
        digest -> Binary,
    }
}

diesel::table! {
    proof_budgets (subject) {
        subject -> Text,
        failures -> Jsonb,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    invitations (id) {
        id -> Uuid,
        workspace_id -> Uuid,
        email -> Text,
        email_canonical -> Text,
        role -> Text,
        token -> Binary,
        invited_by -> Text,
        invited_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        credential_id -> Binary,
        public_key -> Binary,
        transports -> SmallInt,
        sign_count -> BigInt,
        backup -> Text,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    mail_tokens (token) {
        token -> Binary,
        user_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        email -> Nullable<Text>,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    passkey_challenges (challenge) {
        challenge -> Binary,
        subject -> Text,
        state -> Text,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    sso_connections (id) {
        id -> Uuid,
        workspace_id -> Uuid,
        slug -> Text,
        name -> Text,
        protocol -> Text,
        enabled -> Bool,
        settings -> Jsonb,
        secret -> Nullable<Text>,
        scim_token -> Nullable<Binary>,
        created_by -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    sso_domains (workspace_id, domain) {
        workspace_id -> Uuid,
        domain -> Text,
        challenge -> Text,
        created_at -> Timestamptz,
        verified_at -> Nullable<Timestamptz>,
        connection_id -> Nullable<Uuid>,
        enforced -> Bool,
        break_glass_user_id -> Nullable<Uuid>,
        join_role -> Nullable<Text>,
    }
}

diesel::table! {
    sso_identities (id) {
        id -> Uuid,
        connection -> Text,
        issuer -> Text,
        subject -> Text,
        user_id -> Uuid,
        email -> Nullable<Text>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
    }
}

diesel::table! {
    sso_requests (state) {
        state -> Binary,
        browser -> Binary,
        connection -> Text,
        return_to -> Text,
        link_session_id -> Nullable<Uuid>,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    sso_replays (id) {
        id -> Binary,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    scim_users (connection_id, user_id) {
        connection_id -> Uuid,
        user_id -> Uuid,
        user_name -> Text,
        user_name_canonical -> Text,
        external_id -> Nullable<Text>,
        active -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    audit_events (chain_id, seq) {
        chain_id -> Uuid,
        seq -> BigInt,
        id -> Uuid,
        created_at -> Timestamptz,
        action -> Text,
        outcome -> Text,
        code -> Nullable<Text>,
        actor_kind -> Text,
        actor_id -> Nullable<Text>,
        credential_id -> Nullable<Text>,
        target_kind -> Nullable<Text>,
        target_id -> Nullable<Text>,
        changes -> Text,
        count -> BigInt,
        request_id -> Nullable<Text>,
        salt -> Nullable<Binary>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        details -> Nullable<Text>,
        personal_digest -> Binary,
        key_id -> Text,
        mac -> Binary,
        mentions -> Nullable<Binary>,
    }
}

diesel::table! {
    audit_heads (chain_id) {
        chain_id -> Uuid,
        archived -> BigInt,
        archived_mac -> Binary,
        seq -> BigInt,
        mac -> Binary,
        key_id -> Text,
        seal -> Binary,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Uuid,
        workspace_id -> Uuid,
        url -> Text,
        description -> Nullable<Text>,
        events -> Jsonb,
        disabled_at -> Nullable<Timestamptz>,
        disabled_because -> Nullable<Text>,
        failing_since -> Nullable<Timestamptz>,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_secret_until -> Nullable<Timestamptz>,
        created_by -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        slow -> Bool,
    }
}

diesel::table! {
    webhook_deliveries (webhook_id, event_id) {
        webhook_id -> Uuid,
        event_id -> Uuid,
        kind -> Text,
        event_at -> Timestamptz,
        data -> Text,
        state -> Text,
        tries -> Integer,
        due_at -> Nullable<Timestamptz>,
        last_try_at -> Nullable<Timestamptz>,
        last_status -> Nullable<Integer>,
        last_error -> Nullable<Text>,
        forget_at -> Timestamptz,
    }
}

// Diesel's own, by which it knows what was applied.
diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

diesel::table! {
    saved_spends (node_id, piece) {
        node_id -> Uuid,
        piece -> Integer,
        states -> Bytea,
    }
}

diesel::table! {
    nodes (id) {
        id -> Uuid,
        seen_at -> Timestamptz,
        name -> Nullable<Text>,
        ring -> Nullable<Jsonb>,
        ring_since -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    clock_mark (id) {
        id -> Integer,
        resets -> BigInt,
        latest -> Timestamptz,
    }
}

diesel::table! {
    usage_counts (key_id, granularity, bucket, outcome) {
        key_id -> Uuid,
        granularity -> Text,
        bucket -> Timestamptz,
        outcome -> Text,
        workspace_id -> Nullable<Uuid>,
        calls -> BigInt,
    }
}

diesel::table! {
    scope_uses (key_id, scope) {
        key_id -> Uuid,
        scope -> Text,
        last_day -> Timestamptz,
    }
}

diesel::table! {
    trust_rules (id) {
        id -> Uuid,
        key_id -> Uuid,
        name -> Text,
        issuer -> Text,
        audience -> Text,
        claims -> Jsonb,
        created_by -> Text,
        created_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    workspaces,
    memberships,
    api_keys,
    api_key_workspaces,
    api_key_secrets,
    sessions,
    totp_factors,
    passkeys,
    invitations,
    sso_connections,
    sso_domains,
    sso_identities,
    scim_users,
    usage_counts,
    webhooks,
    webhook_deliveries,
    trust_rules
);
