-- What connecting accounts through their providers needs. As before, times are microseconds since the
-- epoch by the clock of a process; only those of leases are by the clock of the database.

-- Keys that seal the OAuth client secrets of the deployment itself.
create table bosa_connector_keys (
    id           uuid not null primary key,
    root_key_id  text collate "C" not null references bosa_root_key_canaries (id),
    sealed       bytea not null,
    state        text collate "C" not null check (state in ('active', 'retiring')),
    created_at   bigint not null
);

create unique index bosa_connector_keys_one_active on bosa_connector_keys (state) where state = 'active';
create index bosa_connector_keys_root_key on bosa_connector_keys (root_key_id);

-- A connector's settings of one client: JSON, and the OAuth client secret if it has one.
create table bosa_connector_settings (
    client_id    uuid not null references bosa_clients (id),
    connector    text collate "C" not null,
    settings     text collate "C" not null,
    sealed       bytea,
    data_key_id  uuid,
    version      bigint not null,
    created_at   bigint not null,
    updated_at   bigint not null,
    primary key (client_id, connector),
    foreign key (client_id, data_key_id) references bosa_data_keys (client_id, id),
    check ((sealed is null) = (data_key_id is null))
);

create index bosa_connector_settings_data_key on bosa_connector_settings (client_id, data_key_id);

-- A connector's settings of the deployment, for clients that have none.
create table bosa_shared_connector_settings (
    connector         text collate "C" not null primary key,
    settings          text collate "C" not null,
    sealed            bytea,
    connector_key_id  uuid references bosa_connector_keys (id),
    version           bigint not null,
    created_at        bigint not null,
    updated_at        bigint not null,
    check ((sealed is null) = (connector_key_id is null))
);

create index bosa_shared_connector_settings_key on bosa_shared_connector_settings (connector_key_id);

-- What a provider granted for an account: when its access token ends, and the refresh token, if there
-- is one, with whether each use of it brings another. It has no version of its own: whoever changes
-- the tokens raises that of the account. The completion is the code that the account waits for.
create table bosa_integration_grants (
    client_id                 uuid not null,
    integration_id            uuid not null,
    oauth_client_id           text collate "C" not null,
    expires_at                bigint not null,
    sealed                    bytea,
    data_key_id               uuid,
    rotates                   boolean,
    refreshed_at              bigint,
    next_refresh_at           bigint,
    needs_reauth_reason       text collate "C",
    needs_reauth_at           bigint,
    completion_digest         bytea check (completion_digest is null or octet_length(completion_digest) = 32),
    completion_digest_key_id  uuid references bosa_digest_keys (id),
    completion_expires_at     bigint,
    primary key (client_id, integration_id),
    foreign key (client_id, integration_id) references bosa_integrations (client_id, id) on delete cascade,
    foreign key (client_id, data_key_id) references bosa_data_keys (client_id, id),
    check ((sealed is null) = (data_key_id is null)),
    check ((sealed is null) = (rotates is null)),
    check (sealed is not null or next_refresh_at is null),
    check ((needs_reauth_reason is null) = (needs_reauth_at is null)),
    check ((completion_digest is null) = (completion_digest_key_id is null)),
    check ((completion_digest is null) = (completion_expires_at is null))
);

create index bosa_integration_grants_data_key on bosa_integration_grants (client_id, data_key_id);
create index bosa_integration_grants_next_refresh_at on bosa_integration_grants (next_refresh_at);
create unique index bosa_integration_grants_completion on bosa_integration_grants (client_id, completion_digest);
create index bosa_integration_grants_completion_expires_at on bosa_integration_grants (completion_expires_at);
create index bosa_integration_grants_digest_key on bosa_integration_grants (completion_digest_key_id);

-- Who may refresh an account now, and whether a refresh token may have been sent whose answer nobody
-- has stored: since when, and by whom.
create table bosa_refresh_leases (
    client_id       uuid not null,
    integration_id  uuid not null,
    holder          uuid not null,
    held_until      bigint not null,
    sent_at         bigint,
    sent_by         uuid,
    primary key (client_id, integration_id),
    foreign key (client_id, integration_id) references bosa_integrations (client_id, id) on delete cascade,
    check ((sent_at is null) = (sent_by is null))
);

-- Connections that were begun. Each is a page of ours first, which names the digest of its secret, and
-- once the user has left for the provider a state, which nothing but its digest finds. The digest key
-- is that of whichever digests there are. An account of the same name that was stored by hand is taken
-- over only where the connection replaces it.
create table bosa_connect_states (
    client_id       uuid not null,
    id              uuid not null,
    user_id         uuid not null,
    connector       text collate "C" not null,
    api_key_id      uuid,
    return_address  text collate "C",
    replaces        boolean not null,
    page_digest     bytea check (page_digest is null or octet_length(page_digest) = 32),
    state_digest    bytea check (state_digest is null or octet_length(state_digest) = 32),
    cookie_digest   bytea check (cookie_digest is null or octet_length(cookie_digest) = 32),
    digest_key_id   uuid not null references bosa_digest_keys (id),
    sealed          bytea,
    data_key_id     uuid,
    auth_scopes     text collate "C",
    created_at      bigint not null,
    expires_at      bigint not null,
    primary key (client_id, id),
    foreign key (client_id, user_id) references bosa_users (client_id, id) on delete cascade,
    foreign key (client_id, api_key_id) references bosa_api_keys (client_id, id),
    foreign key (client_id, data_key_id) references bosa_data_keys (client_id, id),
    check ((page_digest is null) <> (state_digest is null)),
    check ((state_digest is null) = (cookie_digest is null)),
    check ((state_digest is null) = (sealed is null)),
    check ((state_digest is null) = (data_key_id is null)),
    check ((state_digest is null) = (auth_scopes is null))
);

create unique index bosa_connect_states_page on bosa_connect_states (page_digest);
create unique index bosa_connect_states_state on bosa_connect_states (state_digest);
create index bosa_connect_states_user on bosa_connect_states (client_id, user_id);
create index bosa_connect_states_api_key on bosa_connect_states (client_id, api_key_id);
create index bosa_connect_states_digest_key on bosa_connect_states (digest_key_id);
create index bosa_connect_states_data_key on bosa_connect_states (client_id, data_key_id);
create index bosa_connect_states_expires_at on bosa_connect_states (expires_at);

-- The replacement of every key that seals values, while it goes on. Keys made before its start are old.
create table bosa_rekey (
    singleton     bigint not null primary key check (singleton = 1),
    operation_id  uuid not null,
    started_at    bigint not null,
    actor_kind    text collate "C" not null,
    actor_id      uuid,
    resealed      bigint not null,
    updated_at    bigint not null
);
