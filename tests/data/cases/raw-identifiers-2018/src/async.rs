//! Made.

/// Seed.
pub fn seed() {}
