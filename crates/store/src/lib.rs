//! The database of BOSA Auth: one SQL text for SQLite and PostgreSQL.
