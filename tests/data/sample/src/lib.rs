//! Small tools for drawings and services, made to be searched.
//!
//! The crate does nothing of importance. It holds the shapes of Rust code that a
//! code search has to tell apart, and documentation that people could ask for.

pub mod cache;
pub mod error;
pub mod geometry;
pub mod macros;
pub mod retry;
pub mod unicode;

/// Laying out plain text.
#[allow(clippy::mixed_attributes_style)]
pub mod text {
    //! Breaking paragraphs into lines for terminals and printers.
    //!
    //! Widths are counted in characters, not in bytes.

    use crate::error::{Error, Result};

    /// Wraps a paragraph so that no line is wider than the given width.
    ///
    /// Words stay whole: a word that is wider than a line stands alone on its own.
    /// Runs of blanks and old line breaks become single blanks.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyWidth`] when the width is zero.
    pub fn wrap_text(paragraph: &str, width: usize) -> Result<Vec<String>> {
        if width == 0 {
            return Err(Error::EmptyWidth);
        }
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_whitespace() {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        if !line.is_empty() {
            lines.push(line);
        }
        Ok(lines)
    }

    /// Names the characters that end a line of a text file on this system.
    #[cfg(unix)]
    pub fn line_end() -> &'static str {
        "\n"
    }

    /// Names the characters that end a line of a text file where it is not Unix.
    #[cfg(not(unix))]
    pub fn line_end() -> &'static str {
        "\r\n"
    }
}

/// Finds the letter of the drive that a path begins with.
#[cfg(windows)]
pub fn drive_letter(path: &str) -> Option<char> {
    let mut letters = path.chars();
    let letter = letters.next()?;
    (letters.next()? == ':').then_some(letter)
}

#[cfg(test)]
mod tests;
