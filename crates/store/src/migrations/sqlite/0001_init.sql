-- The first schema. Times are microseconds since the epoch, UTC; identifiers are UUIDs;
-- JSON is text. Every row that belongs to a client carries the client's id in its primary key
-- and in its foreign keys, so that the database itself refuses to mix two clients.

-- Sealed constants, one for each root key: what every process opens before it reads anything else.
create table bosa_root_key_canaries (
    id          text not null primary key,
    sealed      blob not null,
    created_at  integer not null
) strict;

-- The one row that says what this database is and whether it may be written to.
create table bosa_instance (
    singleton        integer not null primary key check (singleton = 1),
    id               blob not null,
    issuer           text not null,
    state            text not null check (state in ('open', 'moved')),
    active_root_key  text not null references bosa_root_key_canaries (id),
    moved_to         text,
    created_at       integer not null
) strict;

-- When each process was last seen, and the key that it signs with.
create table bosa_nodes (
    id          blob not null primary key,
    kid         text not null,
    started_at  integer not null,
    seen_at     integer not null
) strict;

-- Keys under which generated secrets are digested.
create table bosa_digest_keys (
    id           blob not null primary key,
    root_key_id  text not null references bosa_root_key_canaries (id),
    sealed       blob not null,
    state        text not null check (state in ('active', 'verifying')),
    created_at   integer not null
) strict;

create unique index bosa_digest_keys_one_active on bosa_digest_keys (state) where state = 'active';

-- Generated keys that sign access tokens; configured ones stay outside the database.
create table bosa_signing_keys (
    kid          text not null primary key,
    algorithm    text not null,
    root_key_id  text not null references bosa_root_key_canaries (id),
    sealed       blob not null,
    state        text not null check (state in ('active', 'verifying')),
    created_at   integer not null
) strict;

create unique index bosa_signing_keys_one_active on bosa_signing_keys (state) where state = 'active';

-- The tenants. The generation ends all tokens of a client when it is raised.
create table bosa_clients (
    id                    blob not null primary key,
    name                  text not null,
    state                 text not null check (state in ('active', 'suspended', 'deleting')),
    can_get_integrations  integer not null check (can_get_integrations in (0, 1)),
    generation            integer not null,
    version               integer not null,
    created_at            integer not null,
    updated_at            integer not null
) strict;

create unique index bosa_clients_name on bosa_clients (name);
create index bosa_clients_deleting on bosa_clients (id) where state = 'deleting';

-- Keys that seal the values of one client.
create table bosa_data_keys (
    client_id    blob not null references bosa_clients (id),
    id           blob not null,
    root_key_id  text not null references bosa_root_key_canaries (id),
    sealed       blob not null,
    state        text not null check (state in ('active', 'retiring')),
    created_at   integer not null,
    primary key (client_id, id)
) strict;

create unique index bosa_data_keys_id on bosa_data_keys (id);
create unique index bosa_data_keys_one_active on bosa_data_keys (client_id) where state = 'active';
create index bosa_data_keys_root_key on bosa_data_keys (root_key_id);

-- What a client authenticates with. The id is the first segment of the key.
create table bosa_api_keys (
    client_id      blob not null references bosa_clients (id),
    id             blob not null,
    form           text not null check (form in ('current', 'imported')),
    digest         blob not null check (length(digest) = 32),
    digest_key_id  blob not null references bosa_digest_keys (id),
    preview        text not null,
    scopes         text not null,
    expires_at     integer,
    last_used_at   integer,
    revoked_at     integer,
    created_at     integer not null,
    primary key (client_id, id)
) strict;

create unique index bosa_api_keys_id on bosa_api_keys (id);
create index bosa_api_keys_digest_key on bosa_api_keys (digest_key_id);

-- The people of a client. The generation ends all tokens of a user when it is raised; the secret's
-- version changes with every new secret.
create table bosa_users (
    client_id       blob not null references bosa_clients (id),
    id              blob not null,
    identifier      text not null,
    state           text not null check (state in ('active', 'suspended')),
    generation      integer not null,
    version         integer not null,
    secret_kind     text not null check (secret_kind in ('generated', 'imported', 'chosen')),
    secret_version  integer not null,
    digest          blob check (digest is null or length(digest) = 32),
    digest_key_id   blob references bosa_digest_keys (id),
    password_hash   text,
    secret_preview  text,
    created_at      integer not null,
    updated_at      integer not null,
    primary key (client_id, id),
    -- Either a keyed digest or a password hash, never both and never neither.
    check ((digest is null) = (digest_key_id is null)),
    check ((digest is null) <> (password_hash is null)),
    check (secret_kind <> 'generated' or digest is not null),
    -- Of a chosen secret nothing is stored but its hash.
    check (secret_kind <> 'chosen' or (password_hash is not null and secret_preview is null))
) strict;

create unique index bosa_users_id on bosa_users (id);
create unique index bosa_users_identifier on bosa_users (client_id, identifier);
create index bosa_users_digest_key on bosa_users (digest_key_id);

-- Issued access tokens. One is valid only while both generations are today's. The signing key has
-- no foreign key, because a configured key has no row.
create table bosa_tokens (
    client_id          blob not null,
    id                 blob not null,
    user_id            blob not null,
    signing_key_id     text not null,
    form               text not null check (form in ('current', 'imported')),
    client_generation  integer not null,
    user_generation    integer not null,
    issued_at          integer not null,
    expires_at         integer not null,
    idle_end           integer,
    revoked_at         integer,
    revoke_operation   blob,
    primary key (client_id, id),
    foreign key (client_id, user_id) references bosa_users (client_id, id) on delete cascade
) strict;

create unique index bosa_tokens_id on bosa_tokens (id);
create index bosa_tokens_user on bosa_tokens (client_id, user_id, id);
create index bosa_tokens_expires_at on bosa_tokens (expires_at);

-- One row for each connector of a user: what every change to its accounts updates first.
create table bosa_integration_sets (
    client_id  blob not null,
    user_id    blob not null,
    connector  text not null,
    version    integer not null,
    primary key (client_id, user_id, connector),
    foreign key (client_id, user_id) references bosa_users (client_id, id)
) strict;

-- Accounts at other services, sealed under a data key of their own client.
create table bosa_integrations (
    client_id        blob not null,
    id               blob not null,
    user_id          blob not null,
    connector        text not null,
    user_identifier  text not null,
    auth_scopes      text not null,
    sealed           blob not null,
    data_key_id      blob not null,
    version          integer not null,
    auth_status      text not null check (auth_status in ('active', 'needs_reauth', 'unverified', 'pending', 'unreadable')),
    subject          text,
    selected         integer not null check (selected in (0, 1)),
    created_at       integer not null,
    updated_at       integer not null,
    primary key (client_id, id),
    foreign key (client_id, user_id, connector) references bosa_integration_sets (client_id, user_id, connector),
    foreign key (client_id, data_key_id) references bosa_data_keys (client_id, id)
) strict;

create unique index bosa_integrations_id on bosa_integrations (id);
create index bosa_integrations_user on bosa_integrations (client_id, user_id, id);
create unique index bosa_integrations_account on bosa_integrations (client_id, user_id, connector, user_identifier);
create unique index bosa_integrations_one_default on bosa_integrations (client_id, user_id, connector) where selected;
create index bosa_integrations_data_key on bosa_integrations (client_id, data_key_id);

-- The number of the newest change that narrows what is valid, in each of 16 parts: a client's changes
-- are all in one. The head's row lock makes the order of a part's numbers the order of the commits,
-- without gaps.
create table bosa_feed_head (
    part  integer not null primary key check (part between 0 and 15),
    seq   integer not null,
    mark  blob not null
) strict;

create table bosa_changes (
    part       integer not null,
    seq        integer not null,
    mark       blob not null,
    kind       text not null,
    client_id  blob,
    subject    blob,
    at         integer not null,
    primary key (part, seq)
) strict;

-- Who changed what. No foreign keys: a record outlives what it speaks of.
create table bosa_audit_events (
    id          blob not null primary key,
    at          integer not null,
    actor_kind  text not null,
    actor_id    blob,
    action      text not null,
    client_id   blob,
    subject     blob,
    detail      text
) strict;

create index bosa_audit_events_client on bosa_audit_events (client_id, at);
create index bosa_audit_events_at on bosa_audit_events (at);

-- Requests that named an idempotency key, so that a repeat answers without acting again.
create table bosa_idempotency (
    caller          text not null,
    route           text not null,
    key_digest      blob not null check (length(key_digest) = 32),
    request_digest  blob not null check (length(request_digest) = 32),
    digest_key_id   blob not null references bosa_digest_keys (id),
    operation_id    blob not null,
    status          integer not null,
    resource_id     text,
    created_at      integer not null,
    primary key (caller, route, key_digest)
) strict;

create index bosa_idempotency_created_at on bosa_idempotency (created_at);
create index bosa_idempotency_digest_key on bosa_idempotency (digest_key_id);
