-- The first schema. Times are microseconds since the epoch, UTC; identifiers are UUIDs;
-- JSON is text. Every row that belongs to a client carries the client's id in its primary key
-- and in its foreign keys, so that the database itself refuses to mix two clients.

-- Sealed constants, one for each root key: what every process opens before it reads anything else.
create table bosa_root_key_canaries (
    id          text collate "C" not null primary key,
    sealed      bytea not null,
    created_at  bigint not null
);

-- The one row that says what this database is and whether it may be written to.
create table bosa_instance (
    singleton        bigint not null primary key check (singleton = 1),
    id               uuid not null,
    issuer           text collate "C" not null,
    state            text collate "C" not null check (state in ('open', 'moved')),
    active_root_key  text collate "C" not null references bosa_root_key_canaries (id),
    moved_to         text collate "C",
    created_at       bigint not null
);

-- When each process was last seen, and the key that it signs with.
create table bosa_nodes (
    id          uuid not null primary key,
    kid         text collate "C" not null,
    started_at  bigint not null,
    seen_at     bigint not null
);

-- Keys under which generated secrets are digested.
create table bosa_digest_keys (
    id           uuid not null primary key,
    root_key_id  text collate "C" not null references bosa_root_key_canaries (id),
    sealed       bytea not null,
    state        text collate "C" not null check (state in ('active', 'verifying')),
    created_at   bigint not null
);

create unique index bosa_digest_keys_one_active on bosa_digest_keys (state) where state = 'active';

-- Generated keys that sign access tokens; configured ones stay outside the database.
create table bosa_signing_keys (
    kid          text collate "C" not null primary key,
    algorithm    text collate "C" not null,
    root_key_id  text collate "C" not null references bosa_root_key_canaries (id),
    sealed       bytea not null,
    state        text collate "C" not null check (state in ('active', 'verifying')),
    created_at   bigint not null
);

create unique index bosa_signing_keys_one_active on bosa_signing_keys (state) where state = 'active';

-- The tenants. The generation ends all tokens of a client when it is raised.
create table bosa_clients (
    id                    uuid not null primary key,
    name                  text collate "C" not null,
    state                 text collate "C" not null check (state in ('active', 'suspended', 'deleting')),
    can_get_integrations  boolean not null,
    generation            bigint not null,
    version               bigint not null,
    created_at            bigint not null,
    updated_at            bigint not null
);

create unique index bosa_clients_name on bosa_clients (name);
create index bosa_clients_deleting on bosa_clients (id) where state = 'deleting';

-- Keys that seal the values of one client.
create table bosa_data_keys (
    client_id    uuid not null references bosa_clients (id),
    id           uuid not null,
    root_key_id  text collate "C" not null references bosa_root_key_canaries (id),
    sealed       bytea not null,
    state        text collate "C" not null check (state in ('active', 'retiring')),
    created_at   bigint not null,
    primary key (client_id, id)
);

create unique index bosa_data_keys_id on bosa_data_keys (id);
create unique index bosa_data_keys_one_active on bosa_data_keys (client_id) where state = 'active';
create index bosa_data_keys_root_key on bosa_data_keys (root_key_id);

-- What a client authenticates with. The id is the first segment of the key.
create table bosa_api_keys (
    client_id      uuid not null references bosa_clients (id),
    id             uuid not null,
    form           text collate "C" not null check (form in ('current', 'imported')),
    digest         bytea not null check (octet_length(digest) = 32),
    digest_key_id  uuid not null references bosa_digest_keys (id),
    preview        text collate "C" not null,
    scopes         text collate "C" not null,
    expires_at     bigint,
    last_used_at   bigint,
    revoked_at     bigint,
    created_at     bigint not null,
    primary key (client_id, id)
);

create unique index bosa_api_keys_id on bosa_api_keys (id);
create index bosa_api_keys_digest_key on bosa_api_keys (digest_key_id);

-- The people of a client. The generation ends all tokens of a user when it is raised; the secret's
-- version changes with every new secret.
create table bosa_users (
    client_id       uuid not null references bosa_clients (id),
    id              uuid not null,
    identifier      text collate "C" not null,
    state           text collate "C" not null check (state in ('active', 'suspended')),
    generation      bigint not null,
    version         bigint not null,
    secret_kind     text collate "C" not null check (secret_kind in ('generated', 'imported', 'chosen')),
    secret_version  bigint not null,
    digest          bytea check (digest is null or octet_length(digest) = 32),
    digest_key_id   uuid references bosa_digest_keys (id),
    password_hash   text collate "C",
    secret_preview  text collate "C",
    created_at      bigint not null,
    updated_at      bigint not null,
    primary key (client_id, id),
    -- Either a keyed digest or a password hash, never both and never neither.
    check ((digest is null) = (digest_key_id is null)),
    check ((digest is null) <> (password_hash is null)),
    check (secret_kind <> 'generated' or digest is not null),
    -- Of a chosen secret nothing is stored but its hash.
    check (secret_kind <> 'chosen' or (password_hash is not null and secret_preview is null))
);

create unique index bosa_users_id on bosa_users (id);
create unique index bosa_users_identifier on bosa_users (client_id, identifier);
create index bosa_users_digest_key on bosa_users (digest_key_id);

-- Issued access tokens. One is valid only while both generations are today's. The signing key has
-- no foreign key, because a configured key has no row.
create table bosa_tokens (
    client_id          uuid not null,
    id                 uuid not null,
    user_id            uuid not null,
    signing_key_id     text collate "C" not null,
    form               text collate "C" not null check (form in ('current', 'imported')),
    client_generation  bigint not null,
    user_generation    bigint not null,
    issued_at          bigint not null,
    expires_at         bigint not null,
    idle_end           bigint,
    revoked_at         bigint,
    revoke_operation   uuid,
    primary key (client_id, id),
    foreign key (client_id, user_id) references bosa_users (client_id, id) on delete cascade
);

create unique index bosa_tokens_id on bosa_tokens (id);
create index bosa_tokens_user on bosa_tokens (client_id, user_id, id);
create index bosa_tokens_expires_at on bosa_tokens (expires_at);

-- One row for each connector of a user: what every change to its accounts updates first.
create table bosa_integration_sets (
    client_id  uuid not null,
    user_id    uuid not null,
    connector  text collate "C" not null,
    version    bigint not null,
    primary key (client_id, user_id, connector),
    foreign key (client_id, user_id) references bosa_users (client_id, id)
);

-- Accounts at other services, sealed under a data key of their own client.
create table bosa_integrations (
    client_id        uuid not null,
    id               uuid not null,
    user_id          uuid not null,
    connector        text collate "C" not null,
    user_identifier  text collate "C" not null,
    auth_scopes      text collate "C" not null,
    sealed           bytea not null,
    data_key_id      uuid not null,
    version          bigint not null,
    auth_status      text collate "C" not null check (auth_status in ('active', 'needs_reauth', 'unverified', 'pending', 'unreadable')),
    subject          text collate "C",
    selected         boolean not null,
    created_at       bigint not null,
    updated_at       bigint not null,
    primary key (client_id, id),
    foreign key (client_id, user_id, connector) references bosa_integration_sets (client_id, user_id, connector),
    foreign key (client_id, data_key_id) references bosa_data_keys (client_id, id)
);

create unique index bosa_integrations_id on bosa_integrations (id);
create index bosa_integrations_user on bosa_integrations (client_id, user_id, id);
create unique index bosa_integrations_account on bosa_integrations (client_id, user_id, connector, user_identifier);
create unique index bosa_integrations_one_default on bosa_integrations (client_id, user_id, connector) where selected;
create index bosa_integrations_data_key on bosa_integrations (client_id, data_key_id);

-- The number of the newest change that narrows what is valid, in each of 16 parts: a client's changes
-- are all in one. The head's row lock makes the order of a part's numbers the order of the commits,
-- without gaps.
create table bosa_feed_head (
    part  bigint not null primary key check (part between 0 and 15),
    seq   bigint not null,
    mark  uuid not null
);

create table bosa_changes (
    part       bigint not null,
    seq        bigint not null,
    mark       uuid not null,
    kind       text collate "C" not null,
    client_id  uuid,
    subject    uuid,
    at         bigint not null,
    primary key (part, seq)
);

-- Who changed what. No foreign keys: a record outlives what it speaks of.
create table bosa_audit_events (
    id          uuid not null primary key,
    at          bigint not null,
    actor_kind  text collate "C" not null,
    actor_id    uuid,
    action      text collate "C" not null,
    client_id   uuid,
    subject     uuid,
    detail      text collate "C"
);

create index bosa_audit_events_client on bosa_audit_events (client_id, at);
create index bosa_audit_events_at on bosa_audit_events (at);

-- Requests that named an idempotency key, so that a repeat answers without acting again.
create table bosa_idempotency (
    caller          text collate "C" not null,
    route           text collate "C" not null,
    key_digest      bytea not null check (octet_length(key_digest) = 32),
    request_digest  bytea not null check (octet_length(request_digest) = 32),
    digest_key_id   uuid not null references bosa_digest_keys (id),
    operation_id    uuid not null,
    status          bigint not null,
    resource_id     text collate "C",
    created_at      bigint not null,
    primary key (caller, route, key_digest)
);

create index bosa_idempotency_created_at on bosa_idempotency (created_at);
create index bosa_idempotency_digest_key on bosa_idempotency (digest_key_id);
