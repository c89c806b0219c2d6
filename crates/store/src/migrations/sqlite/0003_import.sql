-- What an import of the original's database has found: one row for each row of its tables, so that a later
-- import neither brings back what was ended here nor overwrites what was changed here. The former name is the
-- spelling in the original of what was imported under another name.
create table bosa_import_markers (
    kind         text not null check (kind in ('client', 'user', 'token', 'integration')),
    id           blob not null,
    outcome      text not null check (outcome in ('imported', 'skipped')),
    reason       text,
    former_name  text,
    was_active   integer not null check (was_active in (0, 1)),
    imported_at  integer not null,
    primary key (kind, id)
) strict;
