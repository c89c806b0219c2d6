//! The HTTP API of BOSA Auth as a mountable axum router.
