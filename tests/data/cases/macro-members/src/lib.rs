//! Owners.
macro_rules! outer { ($($t:tt)*) => { inner! { $($t)* } }; }
macro_rules! inner {
    ($(#[$a:meta])* struct $n:ident { $($(#[$b:meta])* const $c:ident = $v:expr;)* }) => {
        $(#[$a])* pub struct $n(u32);
        impl $n { $($(#[$b])* pub const $c: u32 = $v;)* }
    };
}
outer! {
    /// Nested.
    struct Deep {
        /// Low.
        const LOW = 1;
    }
}
macro_rules! methods { ($n:ident { $($i:item)* }) => { impl $n { $($i)* } }; }
macro_rules! onto { ($n:ident, $($i:tt)*) => { impl $n { $($i)* } }; }
macro_rules! only { ($($i:item)*) => { impl crate::geo::Circle { $($i)* } }; }
/// Plain.
pub struct Plain;
methods! { Plain {
    /// Opens.
    pub fn open(&self) -> u8 { 1 }
    /// Shuts.
    fn shut(&self) {}
} }
onto! { Plain,
    /// Third.
    pub fn third(&self) {}
    /// Limit.
    pub const LIMIT: u8 = 3;
}
only! {
    /// Area.
    pub fn area(&self) -> f64 { 1.0 }
}
/// Shapes.
pub mod geo {
    /// A circle.
    pub struct Circle;
    macro_rules! getter { ($t:ident, $($(#[$a:meta])* $n:ident: $k:ty),*) => { impl $t { $($(#[$a])* pub fn $n(&self) -> $k { Default::default() })* } }; }
    getter! { Circle,
        /// Radius.
        radius: f64,
        /// Width.
        width: f64
    }
}
macro_rules! traits { ($t:ident, $n:ident, $s:ident) => { /** A trait. */ pub trait $t { /** A member. */ fn $n(&self); } impl $t for $s { fn $n(&self) {} } impl $t for u8 { fn $n(&self) {} } }; }
traits! { Show, show, Plain }
macro_rules! modules { ($m:ident { $($f:ident),* }) => { pub mod $m { $(/** In a made module. */ pub fn $f() {})* } }; }
modules! { made { one, two } }
macro_rules! enums { ($n:ident { $($v:ident = $c:ident),* }) => { pub enum $n { $($v),* } impl $n { $(/** Is it. */ pub fn $c(&self) -> bool { true })* } }; }
enums! { Colour { Red = is_red, Blue = is_blue } }
/// A function.
pub fn user() {
    methods! { Plain { /// Within.
        fn within(&self) {} } }
    inner! { struct Local { const HERE = 1; } }
}
macro_rules! generic { ($n:ident<$t:ident> $f:ident) => { pub struct $n<$t>($t); impl<$t> $n<$t> { pub fn $f(&self) {} } }; }
generic! { Holder<T> hold }
macro_rules! assoc { ($t:ident, $n:ident = $k:ty) => { impl Iterator for $t { type $n = $k; fn next(&mut self) -> Option<u8> { None } } }; }
assoc! { Plain, Item = u8 }
