"""Runs the scenarios that all language bindings share; ``crates/bosa-auth/tests/scenarios`` has them
and describes their format."""
