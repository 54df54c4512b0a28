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
pub fn dyn2() {}
/// Try without r.
pub fn try2() {}
/// Gen.
pub fn gen2() {}
/// Trait.
pub trait r#abstract { /// A.
  type r#async; }
/// Enum.
pub enum r#enum { A }
/// Raw lifetimes.
pub fn lives<'r#a, 'r#b>(x: &'r#a u8, y: &'r#b u8) -> &'r#a u8 { let _ = y; x }
/// After.
pub struct After<'r#async>(pub &'r#async u8);
