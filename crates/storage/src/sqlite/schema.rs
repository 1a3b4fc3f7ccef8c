//! The tables, as SQLite has them.

diesel::table! {
    users (id) {
        id -> Binary,
        email -> Text,
        email_canonical -> Text,
        name -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        disabled_at -> Nullable<TimestamptzSqlite>,
        created_at -> TimestamptzSqlite,
        default_workspace_id -> Nullable<Binary>,
        email_verified_at -> Nullable<TimestamptzSqlite>,
        erased_at -> Nullable<TimestamptzSqlite>,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Binary,
        name -> Text,
        plan -> Text,
        created_at -> TimestamptzSqlite,
        deleted_at -> Nullable<TimestamptzSqlite>,
        require_second_factor -> Bool,
        leak_response -> Nullable<Text>,
    }
}

diesel::table! {
    memberships (workspace_id, user_id) {
        workspace_id -> Binary,
        user_id -> Binary,
        role -> Text,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Binary,
        #[sql_name = "type"]
        kind -> Text,
        home_workspace_id -> Nullable<Binary>,
        name -> Text,
        scopes -> Text,
        state -> Text,
        revoked_at -> Nullable<TimestamptzSqlite>,
        revocation_reason -> Nullable<Text>,
        expires_at -> Nullable<TimestamptzSqlite>,
        allowed_cidrs -> Text,
        external_id -> Nullable<Text>,
        metadata -> Text,
        display_start -> Text,
        display_last_four -> Text,
        created_by -> Text,
        created_at -> TimestamptzSqlite,
        updated_at -> TimestamptzSqlite,
        owner_id -> Nullable<Binary>,
        leak_reported_at -> Nullable<TimestamptzSqlite>,
        limit_minute -> Nullable<Integer>,
        limit_hour -> Nullable<Integer>,
    }
}

diesel::table! {
    api_key_workspaces (key_id, workspace_id) {
        key_id -> Binary,
        workspace_id -> Binary,
    }
}

diesel::table! {
    api_key_secrets (digest) {
        digest -> Binary,
        key_id -> Binary,
        pepper_id -> Text,
        format -> Text,
        created_at -> TimestamptzSqlite,
        ends_at -> Nullable<TimestamptzSqlite>,
        display_start -> Text,
        display_last_four -> Text,
        last_used_at -> Nullable<TimestamptzSqlite>,
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
        entity_id -> Binary,
        workspace_id -> Nullable<Binary>,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    idempotent_requests (caller, name) {
        caller -> Text,
        name -> Text,
        request -> Binary,
        key_id -> Binary,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        token -> Binary,
        user_id -> Binary,
        created_at -> TimestamptzSqlite,
        expires_at -> TimestamptzSqlite,
        last_seen_at -> TimestamptzSqlite,
        proved_at -> TimestamptzSqlite,
        second_factor -> Bool,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        sso_connection -> Nullable<Text>,
        sso_workspace_id -> Nullable<Binary>,
        sso_provider_session -> Nullable<Text>,
        sso_confined -> Bool,
        sso_second_factor -> Bool,
    }
}

diesel::table! {
    devices (token) {
        token -> Binary,
        user_id -> Binary,
        created_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    sign_in_challenges (token) {
        token -> Binary,
        user_id -> Binary,
        device -> Nullable<Binary>,
        tries -> SmallInt,
        expires_at -> TimestamptzSqlite,
        sso_connection -> Nullable<Text>,
        sso_workspace_id -> Nullable<Binary>,
        sso_provider_session -> Nullable<Text>,
        sso_confined -> Bool,
        sso_second_factor -> Bool,
    }
}

diesel::table! {
    totp_factors (user_id) {
        user_id -> Binary,
        secret -> Text,
        confirmed_at -> Nullable<TimestamptzSqlite>,
        last_step -> Nullable<BigInt>,
    }
}

diesel::table! {
    recovery_codes (user_id, digest) {
        user_id -> Binary,
        digest -> Binary,
    }
}

diesel::table! {
    proof_budgets (subject) {
        subject -> Text,
        failures -> Text,
        updated_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    invitations (id) {
        id -> Binary,
        workspace_id -> Binary,
        email -> Text,
        email_canonical -> Text,
        role -> Text,
        token -> Binary,
        invited_by -> Text,
        invited_at -> TimestamptzSqlite,
        expires_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Binary,
        user_id -> Binary,
        name -> Text,
        credential_id -> Binary,
        public_key -> Binary,
        transports -> SmallInt,
        sign_count -> BigInt,
        backup -> Text,
        created_at -> TimestamptzSqlite,
        last_used_at -> Nullable<TimestamptzSqlite>,
    }
}

diesel::table! {
    mail_tokens (token) {
        token -> Binary,
        user_id -> Nullable<Binary>,
        session_id -> Nullable<Binary>,
        email -> Nullable<Text>,
        expires_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    passkey_challenges (challenge) {
        challenge -> Binary,
        subject -> Text,
        state -> Text,
        expires_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    sso_connections (id) {
        id -> Binary,
        workspace_id -> Binary,
        slug -> Text,
        name -> Text,
        protocol -> Text,
        enabled -> Bool,
        settings -> Text,
        secret -> Nullable<Text>,
        scim_token -> Nullable<Binary>,
        created_by -> Text,
        created_at -> TimestamptzSqlite,
        updated_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    sso_domains (workspace_id, domain) {
        workspace_id -> Binary,
        domain -> Text,
        challenge -> Text,
        created_at -> TimestamptzSqlite,
        verified_at -> Nullable<TimestamptzSqlite>,
        connection_id -> Nullable<Binary>,
        enforced -> Bool,
        break_glass_user_id -> Nullable<Binary>,
        join_role -> Nullable<Text>,
    }
}

diesel::table! {
    sso_identities (id) {
        id -> Binary,
        connection -> Text,
        issuer -> Text,
        subject -> Text,
        user_id -> Binary,
        email -> Nullable<Text>,
        created_at -> TimestamptzSqlite,
        last_used_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    sso_requests (state) {
        state -> Binary,
        browser -> Binary,
        connection -> Text,
        return_to -> Text,
        link_session_id -> Nullable<Binary>,
        expires_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    sso_replays (id) {
        id -> Binary,
        expires_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    scim_users (connection_id, user_id) {
        connection_id -> Binary,
        user_id -> Binary,
        user_name -> Text,
        user_name_canonical -> Text,
        external_id -> Nullable<Text>,
        active -> Bool,
        created_at -> TimestamptzSqlite,
        updated_at -> TimestamptzSqlite,
    }
}

diesel::table! {
    audit_events (chain_id, seq) {
        chain_id -> Binary,
        seq -> BigInt,
        id -> Binary,
        created_at -> TimestamptzSqlite,
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
        chain_id -> Binary,
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
        id -> Binary,
        workspace_id -> Binary,
        url -> Text,
        description -> Nullable<Text>,
        events -> Text,
        disabled_at -> Nullable<TimestamptzSqlite>,
        disabled_because -> Nullable<Text>,
        failing_since -> Nullable<TimestamptzSqlite>,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_secret_until -> Nullable<TimestamptzSqlite>,
        created_by -> Text,
        created_at -> TimestamptzSqlite,
        updated_at -> TimestamptzSqlite,
        slow -> Bool,
    }
}

diesel::table! {
    webhook_deliveries (webhook_id, event_id) {
        webhook_id -> Binary,
        event_id -> Binary,
        kind -> Text,
        event_at -> TimestamptzSqlite,
        data -> Text,
        state -> Text,
        tries -> Integer,
        due_at -> Nullable<TimestamptzSqlite>,
        last_try_at -> Nullable<TimestamptzSqlite>,
        last_status -> Nullable<Integer>,
        last_error -> Nullable<Text>,
        forget_at -> TimestamptzSqlite,
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
        node_id -> Binary,
        piece -> Integer,
        states -> Binary,
    }
}

diesel::table! {
    nodes (id) {
        id -> Binary,
        seen_at -> TimestamptzSqlite,
        name -> Nullable<Text>,
        ring -> Nullable<Text>,
        ring_since -> Nullable<TimestamptzSqlite>,
    }
}

diesel::table! {
    clock_mark (id) {
        id -> Integer,
        resets -> BigInt,
        latest -> TimestamptzSqlite,
    }
}

diesel::table! {
    usage_counts (key_id, granularity, bucket, outcome) {
        key_id -> Binary,
        granularity -> Text,
        bucket -> TimestamptzSqlite,
        outcome -> Text,
        workspace_id -> Nullable<Binary>,
        calls -> BigInt,
    }
}

diesel::table! {
    scope_uses (key_id, scope) {
        key_id -> Binary,
        scope -> Text,
        last_day -> TimestamptzSqlite,
    }
}

diesel::table! {
    trust_rules (id) {
        id -> Binary,
        key_id -> Binary,
        name -> Text,
        issuer -> Text,
        audience -> Text,
        claims -> Text,
        created_by -> Text,
        created_at -> TimestamptzSqlite,
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
