//! Letters from all over the world.

/// Gibt die Größe eines Textes an: how many letters it has, not how many bytes.
pub fn größe(text: &str) -> usize {
    text.chars().count()
}

/// Длина текста в кодовых единицах: the length as editors count columns (UTF-16).
pub fn длина(текст: &str) -> usize {
    текст.encode_utf16().count()
}

/// The mascot of the language.
/* 🦀🦀 */ pub const FERRIS: &str = "🦀"; pub const FERRIS_LEGS: u8 = 10;

/**
Checks whether a letter belongs to the Greek alphabet.

Letters with accents count, too:

```
assert!(sample::unicode::is_greek('ώ'));
```
*/
pub fn is_greek(letter: char) -> bool {
    matches!(letter, 'α'..='ω' | 'Α'..='Ω' | 'ά'..='ώ' | 'ἀ'..='ῼ')
}

#[doc = "Counts the letters that need two units in UTF-16, such as emoji."]
#[doc = ""]
#[doc = "They are the difference between [`größe`] and [`длина`]."]
pub fn count_astral(text: &str) -> usize { let wide = "𝒳🦀"; fn is_wide(letter: char) -> bool {
        letter.len_utf16() == 2
    }
    debug_assert!(wide.chars().all(is_wide));
    text.chars().filter(|letter| is_wide(*letter)).count()
}

/// Names that are words of the language itself.
pub mod reserved {
    /** Guesses the script of a text by its first letter. */
    pub fn r#type(text: &str) -> &'static str {
        match text.chars().next() {
            Some('а'..='я' | 'А'..='Я') => "Cyrillic",
            Some(letter) if super::is_greek(letter) => "Greek",
            _ => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{count_astral, größe, reserved, длина, FERRIS};

    #[test]
    fn lengths_differ_by_the_astral_letters() {
        let crab = format!("Größe {FERRIS}");
        assert_eq!(длина(&crab) - größe(&crab), count_astral(&crab));
        assert_eq!(reserved::r#type("длина"), "Cyrillic");
    }
}
