//! Macros that write items, and the items they wrote.

/// Declares a unit of measure: a struct around one number that knows its symbol.
///
/// Name and documentation of the struct stand in the call, its method does not.
macro_rules! measure {
    ($(#[$attribute:meta])* $name:ident, $symbol:literal) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name(pub f64);

        impl $name {
            /// Gives the symbol that is printed behind the number.
            pub fn symbol(self) -> &'static str {
                $symbol
            }
        }
    };
}

measure! {
    /// A length in metres.
    Metres, "m"
}

/// Declares the function that reports which release this is.
macro_rules! version_function {
    () => {
        /// Reports name and version of this crate in one line.
        pub fn version_line() -> &'static str {
            concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))
        }
    };
}

version_function!();
