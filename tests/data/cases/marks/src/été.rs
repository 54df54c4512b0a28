//! Summer.

/// Sun.
pub fn soleil_levé() {}
