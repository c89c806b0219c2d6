-- What an import of the original's database has found: one row for each row of its tables, so that a later
-- import neither brings back what was ended here nor overwrites what was changed here. The former name is the
-- spelling in the original of what was imported under another name.
create table bosa_import_markers (
    kind         text collate "C" not null check (kind in ('client', 'user', 'token', 'integration')),
    id           uuid not null,
    outcome      text collate "C" not null check (outcome in ('imported', 'skipped')),
    reason       text collate "C",
    former_name  text collate "C",
    was_active   boolean not null,
    imported_at  bigint not null,
    primary key (kind, id)
);
