//! Credentials, tokens and sealed values of BOSA Auth, without I/O.
