//! The tables, as `diesel print-schema` writes them.

diesel::table! {
    tenants (id) {
        id -> BigInt,
        name -> Text,
        idp -> Text,
        unique_group_names -> Bool,
        created_at -> BigInt,
        settings -> Text,
        version -> BigInt,
        suspended -> Nullable<Text>,
        types -> BigInt,
    }
}

diesel::table! {
    tokens (id) {
        id -> Text,
        tenant_id -> BigInt,
        kind -> Text,
        name -> Text,
        hash -> Text,
        scopes -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        source -> Text,
        replaces -> Nullable<Text>,
        certificate -> Nullable<Text>,
        warned -> Nullable<SmallInt>,
        member -> Nullable<Text>,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        private_key -> Text,
        public_key -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    secrets (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    auth_epoch (id) {
        id -> SmallInt,
        epoch -> BigInt,
    }
}

diesel::table! {
    resource_counts (tenant_id, kind, slot) {
        tenant_id -> BigInt,
        kind -> SmallInt,
        slot -> SmallInt,
        total -> BigInt,
    }
}

diesel::table! {
    provider_evidence (tenant_id, provider, signal) {
        tenant_id -> BigInt,
        provider -> Text,
        signal -> Text,
        last_seen_at -> BigInt,
    }
}

diesel::table! {
    sources (tenant_id, name) {
        tenant_id -> BigInt,
        name -> Text,
        idp -> Nullable<Text>,
        state -> Text,
        capabilities -> Text,
        tolerances -> Text,
        client_ca -> Nullable<Text>,
        version -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    admin_keys (id) {
        id -> Text,
        tenant_id -> Nullable<BigInt>,
        name -> Text,
        hash -> Text,
        scopes -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}
