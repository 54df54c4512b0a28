//! What can go wrong, and how it is told to the user.
//!
//! This file has the line ends of Windows.

use std::fmt;
use std::num::ParseFloatError;

/// Everything that can go wrong in this crate.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A line of no width holds no text.
    EmptyWidth,
    /// The text, kept here, has no comma between its coordinates.
    MissingComma(String),
    /// A coordinate is no decimal number.
    BadNumber(ParseFloatError),
    /// The service answered with a failure.
    Service {
        /// The number that the service gave as its reason.
        code: u16,
    },
}

/// How bad an error is, as the exit status of a program.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The same input may work later.
    Passing = 75,
    /// The input has to be mended first.
    Lasting = 0x41,
}

impl Error {
    /// Tells whether trying again later can help.
    pub fn severity(&self) -> Severity {
        match self {
            Error::Service { .. } => Severity::Passing,
            _ => Severity::Lasting,
        }
    }
}

impl fmt::Display for Error {
    /// Writes the message that the user sees.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::EmptyWidth => f.write_str("lines need a width"),
            Error::MissingComma(text) => write!(f, "no comma in {text:?}"),
            Error::BadNumber(_) => f.write_str("not a number"),
            Error::Service { code } => write!(f, "the service failed with {code}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::BadNumber(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;
