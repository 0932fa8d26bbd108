//! The languages that Advanced Opt-Out has layers for.
//!
//! The list and its keys are those of Twilio's draft of `/v3/OptOuts`; its key `ALL` is no language but
//! the standard set. The platform translates nothing: a language is a name for words and messages that
//! the customer gives.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! languages {
    ($($name:ident $key:literal $title:literal;)*) => {
        /// A language of keywords and replies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Language { $($name,)* }

        impl Language {
            /// In the order of their keys.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As the API and the stored form spell it.
            pub fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// In English, for people.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

languages! {
    Afrikaans "AFRIKAANS" "Afrikaans";
    Arabic "ARABIC" "Arabic";
    Bengali "BENGALI" "Bengali";
    Chinese "CHINESE" "Chinese";
    Croatian "CROATIAN" "Croatian";
    Czech "CZECH" "Czech";
    Danish "DANISH" "Danish";
    Dutch "DUTCH" "Dutch";
    English "ENGLISH" "English";
    Estonian "ESTONIAN" "Estonian";
    Finnish "FINNISH" "Finnish";
    French "FRENCH" "French";
    German "GERMAN" "German";
    Greek "GREEK" "Greek";
    Hebrew "HEBREW" "Hebrew";
    Hindi "HINDI" "Hindi";
    Hungarian "HUNGARIAN" "Hungarian";
    Italian "ITALIAN" "Italian";
    Japanese "JAPANESE" "Japanese";
    Korean "KOREAN" "Korean";
    Latvian "LATVIAN" "Latvian";
    Lithuanian "LITHUANIAN" "Lithuanian";
    Malay "MALAY" "Malay";
    Malaysian "MALAYSIAN" "Malaysian";
    Norwegian "NORWEGIAN" "Norwegian";
    Polish "POLISH" "Polish";
    Portuguese "PORTUGUESE" "Portuguese";
    Russian "RUSSIAN" "Russian";
    Slovak "SLOVAK" "Slovak";
    Slovene "SLOVENE" "Slovene";
    SouthernNdebele "SOUTHERN_NDEBELE" "Southern Ndebele";
    SouthernSotho "SOUTHERN_SOTHO" "Southern Sotho";
    Spanish "SPANISH" "Spanish";
    Swati "SWATI" "Swati";
    Swedish "SWEDISH" "Swedish";
    Tamil "TAMIL" "Tamil";
    Tsonga "TSONGA" "Tsonga";
    Tswana "TSWANA" "Tswana";
    Venda "VENDA" "Venda";
    Xhosa "XHOSA" "Xhosa";
    Zulu "ZULU" "Zulu";
}

impl Language {
    /// Its key in either case.
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.key().eq_ignore_ascii_case(key))
    }

    /// Whether its words stand apart, so that a phrase in a text begins and ends with a word.
    pub(super) fn separates_words(self) -> bool {
        !matches!(self, Self::Chinese | Self::Japanese)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&key).ok_or_else(|| serde::de::Error::custom("not a language of opt-outs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_read_as_it_is_written() {
        assert_eq!(Language::ALL.len(), 41);
        for &language in Language::ALL {
            assert_eq!(Language::parse(language.key()), Some(language));
            assert_eq!(
                Language::parse(&language.key().to_lowercase()),
                Some(language)
            );
            assert_eq!(
                language.key(),
                language.name().to_uppercase().replace(' ', "_")
            );
        }
        assert!(Language::ALL.is_sorted_by_key(|language| language.key()));
        for wrong in ["", "ALL", "en", "KLINGON"] {
            assert_eq!(Language::parse(wrong), None, "{wrong:?}");
        }
    }
}
