//! Old.
pub mod r#async;
/// Inline.
pub mod r#dyn {
    /// In it.
    pub fn r#try() {}
    /// Type.
    pub struct r#type { pub r#fn: u8 }
    impl r#type { /// New.
        pub fn r#gen(&self) -> u8 { self.r#fn } }
}
/// Await.
pub fn r#await() {}
/// Dyn without r.
pub fn dyn() {}
/// Try without r.
pub fn try() {}
/// Gen.
pub fn gen() {}
/// Trait.
pub trait r#abstract { /// A.
  type r#async; }
/// Enum.
pub enum r#enum { A }
