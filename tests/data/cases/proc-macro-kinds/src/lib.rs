//! Macros of all kinds.
use proc_macro::TokenStream;

/// Derives with helpers.
#[proc_macro_derive(Label, attributes(label, label_name))]
pub fn derive_label(input: TokenStream) -> TokenStream {
    input
}

/// Has the name of its macro.
#[allow(non_snake_case)]
#[proc_macro_derive(Tagged)]
pub fn Tagged(input: TokenStream) -> TokenStream {
    input
}

/// Its attribute is conditional.
#[cfg_attr(all(), proc_macro_attribute)]
pub fn conditional(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Attribute below another one.
#[doc(hidden)]
#[inline]
#[proc_macro_attribute]
pub fn main_entry(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// A raw name.
#[proc_macro]
pub fn r#try(input: TokenStream) -> TokenStream {
    input
}

macro_rules! make {
    ($(#[$a:meta])* $n:ident) => { $(#[$a])* pub fn $n(input: TokenStream) -> TokenStream { input } };
}
make! {
    /// By a macro.
    #[proc_macro]
    by_macro
}

#[doc = "Two"]
#[proc_macro_derive(Two, attributes(two))]
pub fn two(input: TokenStream) -> TokenStream { input }
