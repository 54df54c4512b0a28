//! Names with marks, composed and decomposed.
#![allow(uncommon_codepoints, non_snake_case, mixed_script_confusables)]

/// A decomposed file.
pub mod été;

/// Devanagari.
pub struct प्रश्न_संख्या {
    pub मूल्य: u32,
}

impl प्रश्न_संख्या {
    /// Its value.
    pub fn मूल्य_लौटाएँ(&self) -> u32 {
        self.मूल्य
    }
}

/// Tamil trait.
pub trait கணக்கு {
    /// A sum.
    fn கூட்டு(&self) -> u32;
}

impl கணக்கு for प्रश्न_संख्या {
    fn கூட்டு(&self) -> u32 {
        1
    }
}

/// Thai.
pub enum ที่อยู่ {
    บ้าน,
}

/// Hangul Jamo.
pub fn 한글() {}

/// Vietnamese, decomposed.
pub const TIẾNG_VIỆT: u8 = 1;

/// Burmese.
pub static မြန်မာ: u8 = 1;

/// Bengali.
pub type বাংলা_ধরন = u8;

/// Hebrew with points.
#[macro_export]
macro_rules! שָׁלוֹם {
    () => {};
}

macro_rules! members {
    ($n:ident { $($(#[$a:meta])* $f:ident),* }) => {
        impl $n { $($(#[$a])* pub fn $f(&self) {})* }
    };
}
members! { प्रश्न_संख्या {
    /// Made by a macro.
    हटाएँ,
    /// Made decomposed.
    créé
} }

/// Raw.
pub fn r#नमस्ते() {}

/// A lifetime.
pub fn lives<'é, 'प्र>(x: &'é u8, _y: &'प्र u8) -> &'é u8 {
    x
}

#[cfg(test)]
mod tests {
    /// A test.
    #[test]
    fn परीक्षा() {}
}
