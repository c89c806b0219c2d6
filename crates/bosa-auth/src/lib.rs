//! Multi-tenant authentication: clients, users, tokens and a vault of integrations.
