//! Databases, clocks and entropy for the tests of BOSA Auth.
