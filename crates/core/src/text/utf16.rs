//! Text in UTF-16 units, as handsets cut it: a character beyond U+FFFF may be divided between two
//! segments, and is whole again only when they are joined.

use std::fmt;

/// UTF-16 units, a lone surrogate among them perhaps.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utf16Text(Box<[u16]>);

impl Utf16Text {
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The texts one after the other.
    pub fn join<'a>(texts: impl IntoIterator<Item = &'a Self>) -> Self {
        texts
            .into_iter()
            .flat_map(|text| &text.0)
            .copied()
            .collect()
    }
}

/// As a reader sees it: a lone surrogate is U+FFFD.
impl fmt::Display for Utf16Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf16_lossy(&self.0))
    }
}

impl fmt::Debug for Utf16Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf16_lossy(&self.0), f)
    }
}

impl From<&str> for Utf16Text {
    fn from(text: &str) -> Self {
        text.encode_utf16().collect()
    }
}

impl FromIterator<u16> for Utf16Text {
    fn from_iter<I: IntoIterator<Item = u16>>(units: I) -> Self {
        Self(units.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_whole_when_joined() {
        let [first, second] = [[0x41, 0xD83D], [0xDE00, 0x42]].map(Utf16Text::from_iter);
        assert_eq!(first.to_string(), "A\u{FFFD}");
        assert_eq!(second.to_string(), "\u{FFFD}B");
        assert_eq!(Utf16Text::join([&first, &second]).to_string(), "A😀B");
        assert_eq!(Utf16Text::from("A😀B"), Utf16Text::join([&first, &second]));
    }
}
