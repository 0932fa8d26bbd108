//! Keywords, and the one form in which a received text and a keyword are compared.
//!
//! Only a whole text is a keyword: `STOP PLEASE` is none. What people's keyboards do to a single word
//! must not matter, though, since refusing an obvious opt-out is the costly error: blanks, invisible
//! characters, punctuation and quotes around it, upper and lower case, full-width and ligature forms,
//! composed and decomposed accents. Upper and lower case are Unicode's full case folding, which knows no
//! locale: `ıptal` is not `iptal` (in Turkish these are two letters), and `QUIT` is `quit` in Turkey, too.
//!
//! Every inbound text passes [`Candidate::of`], so it leaves early: a text that is longer than any
//! keyword after its ends are stripped is never normalized.

use std::borrow::Cow;
use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Characters (code points) of the longest keyword: Twilio's limit.
pub const KEYWORD_LENGTH_MAX: usize = 34;

/// No longer text normalizes to a keyword: NFKC shortens only by composing, and no character is composed
/// of more than four. (An i may lose any number of dots; nobody writes more than one.)
const RAW_LENGTH_MAX: usize = 4 * KEYWORD_LENGTH_MAX;

/// Words that are written apart and mean one keyword all the same: the FCC names "opt out" itself.
const APART: [(&str, &str); 2] = [("stop", "all"), ("opt", "out")];

/// A word that does something when it is received: spelled as the customer gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keyword {
    spelling: Box<str>,
    normal: Box<str>,
}

/// Why a text can't be a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeywordError {
    #[error(
        "a keyword needs a letter, a digit or another visible character that is no punctuation"
    )]
    Empty,
    #[error("{given} characters, a keyword has at most {KEYWORD_LENGTH_MAX}")]
    TooLong { given: usize },
}

impl Keyword {
    pub fn new(spelling: &str) -> Result<Self, KeywordError> {
        let keyword = Self::trusted(spelling.trim());
        let given = char_count(&keyword.spelling).max(char_count(&keyword.normal));
        if keyword.normal.is_empty() {
            Err(KeywordError::Empty)
        } else if given > KEYWORD_LENGTH_MAX {
            Err(KeywordError::TooLong { given })
        } else {
            Ok(keyword)
        }
    }

    /// One that was accepted once, or that the program brings along.
    pub(super) fn trusted(spelling: &str) -> Self {
        Self {
            spelling: spelling.into(),
            normal: normalize(spelling).into(),
        }
    }

    /// As the customer spells it.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }

    /// The form that is compared: what makes two spellings one keyword.
    pub fn normal(&self) -> &str {
        &self.normal
    }

    pub fn is(&self, candidate: &Candidate) -> bool {
        *self.normal == *candidate.0
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

impl Serialize for Keyword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.spelling)
    }
}

/// Asks for no limit: what was accepted once must stay readable.
impl<'de> Deserialize<'de> for Keyword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spelling = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::trusted(&spelling))
    }
}

/// A received text that could be a keyword, in the form that is compared: never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate(Box<str>);

impl Candidate {
    /// `None` for a text that is no keyword whatever the keywords are.
    pub fn of(text: &str) -> Option<Self> {
        let core = text.trim_matches(is_strippable);
        if core.chars().nth(RAW_LENGTH_MAX).is_some() {
            return None;
        }
        let normal = normalize(core);
        let is_possible = !normal.is_empty() && char_count(&normal) <= KEYWORD_LENGTH_MAX;
        is_possible.then(|| Self(normal.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn char_count(text: &str) -> usize {
    text.chars().count()
}

/// The form that is compared. Normalizing it again changes nothing.
fn normalize(text: &str) -> String {
    let text = text.trim_matches(is_strippable);
    if text.is_ascii() {
        return join_apart(&single_spaced(&text.to_ascii_lowercase())).into_owned();
    }
    // Some characters decompose into a blank and an accent, or into punctuation, so that there are ends
    // to strip again.
    let folded = fold(text);
    join_apart(&single_spaced(folded.trim_matches(is_strippable))).into_owned()
}

/// Unicode's compatibility caseless form: NFKC around full, locale-free case folding. The capital `İ`
/// folds to an i with one more dot, which looks like any i: `İPTAL` is `iptal`.
pub(super) fn fold(text: &str) -> String {
    let composed = NFKC.normalize(text);
    let folded = CaseMapper::new().fold_string(&composed);
    if !folded.contains(DOTTED_I) {
        return NFKC.normalize(&folded).into_owned();
    }
    let mut undotted = NFKC.normalize(&folded).into_owned();
    while undotted.contains(DOTTED_I) {
        undotted = undotted.replace(DOTTED_I, "i");
    }
    NFKC.normalize(&undotted).into_owned()
}

const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
const DOTTED_I: &str = "i\u{307}";

const STRIPPABLE: GeneralCategoryGroup = GeneralCategoryGroup::Punctuation
    .union(GeneralCategoryGroup::ModifierSymbol)
    .union(GeneralCategoryGroup::Control)
    .union(GeneralCategoryGroup::Format);

/// What may stand around a keyword: blanks, punctuation, quotes (also the accents `´` and `` ` `` that
/// serve as such), and what nobody sees.
fn is_strippable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric();
    }
    c.is_whitespace() || STRIPPABLE.contains(category(c))
}

fn is_dash(c: char) -> bool {
    category(c) == GeneralCategory::DashPunctuation
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn single_spaced(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_whitespace) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `stop all`, `opt out` and `opt-out` as one word.
fn join_apart(text: &str) -> Cow<'_, str> {
    for (first, second) in APART {
        let between = text
            .strip_prefix(first)
            .and_then(|rest| rest.strip_suffix(second));
        let mut between = between.unwrap_or_default().chars();
        let is_joined = match (between.next(), between.next()) {
            (Some(' '), None) => true,
            (Some(dash), None) => first == "opt" && is_dash(dash),
            (_, _) => false,
        };
        if is_joined {
            return Cow::Owned(format!("{first}{second}"));
        }
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> Option<String> {
        Candidate::of(text).map(|candidate| candidate.as_str().to_owned())
    }

    #[test]
    fn what_is_received_and_the_keyword_that_it_is() {
        for (text, expected) in [
            ("STOP", "stop"),
            (" stop ", "stop"),
            ("\u{a0}stop\u{3000}\r\n", "stop"),
            ("Stop.", "stop"),
            ("STOP!!!", "stop"),
            ("\"STOP\"", "stop"),
            ("“Stop”", "stop"),
            ("«stop»", "stop"),
            ("‘stop’", "stop"),
            ("´stop´", "stop"),
            ("`stop`", "stop"),
            ("<stop>", "stop"),
            ("*STOP*", "stop"),
            ("¿stop?", "stop"),
            ("stop…", "stop"),
            ("\u{feff}stop\u{200b}", "stop"),
            ("\u{200f}stop\0", "stop"),
            ("ＳＴＯＰ", "stop"),
            ("ｓｔｏｐ！", "stop"),
            ("𝐒𝐓𝐎𝐏", "stop"),
            ("Ⓢⓣⓞⓟ", "stop"),
            ("STOP ALL", "stopall"),
            ("stop  \n all.", "stopall"),
            ("STOPALL", "stopall"),
            ("STOP-ALL", "stop-all"),
            ("OPT OUT", "optout"),
            ("Opt-out!", "optout"),
            ("opt‑out", "optout"),
            ("opt–out", "optout"),
            ("OPT - OUT", "opt - out"),
            ("opt_out", "opt_out"),
            ("STOP PLEASE", "stop please"),
            ("S T O P", "s t o p"),
            ("stop 🙂", "stop 🙂"),
            ("ПОМОЩЬ", "помощь"),
            ("停止。", "停止"),
            ("ΤΈΛΟΣ", "τέλοσ"),
            ("τέλος", "τέλοσ"),
            ("ARRE\u{302}T", "arrêt"),
            ("Schluß", "schluss"),
            ("SCHLUSS", "schluss"),
            ("ﬁn", "fin"),
            // Turkish: the dotless ı is a letter of its own, with or without a locale.
            ("ıptal", "ıptal"),
            ("IPTAL", "iptal"),
            ("İPTAL", "iptal"),
            ("I\u{307}PTAL", "iptal"),
            ("iptal", "iptal"),
            ("i\u{307}\u{307}\u{301}", "í"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn nothing_but_punctuation_is_no_candidate() {
        for text in ["", " ", "\n", "!?", "“”", "\u{200b}", "´", "...", "…"] {
            assert_eq!(normal(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_candidate_has_at_most_34_characters() {
        let a = |count: usize| "a".repeat(count);
        assert_eq!(normal(&a(34)), Some(a(34)));
        assert_eq!(normal(&a(35)), None);
        assert_eq!(normal(&format!("{:>5000}!", a(34))), Some(a(34)));
        // Decomposed, the longest keyword is as long as RAW_LENGTH_MAX says.
        let composed = "\u{1f82}".repeat(34);
        let decomposed = "\u{3b1}\u{313}\u{300}\u{345}".repeat(34);
        assert_eq!(normal(&decomposed), None, "folds to 68 characters");
        assert_eq!(char_count(&decomposed), RAW_LENGTH_MAX);
        assert_eq!(NFKC.normalize(&decomposed), composed);
        let hangul = "\u{1112}\u{1161}\u{11ab}".repeat(34);
        assert_eq!(normal(&hangul), Some("한".repeat(34)));
        // One character, and 18 to compare.
        assert_eq!(normal("\u{fdfa}").map(|text| char_count(&text)), Some(18));
        assert_eq!(normal("\u{fdfa}\u{fdfa}"), None);
    }

    #[test]
    fn a_keyword_keeps_its_spelling_and_its_limits() {
        let keyword = Keyword::new(" Arrêt ").unwrap();
        assert_eq!((keyword.as_str(), keyword.normal()), ("Arrêt", "arrêt"));
        assert!(keyword.is(&Candidate::of("ARRÊT!").unwrap()));
        assert!(!keyword.is(&Candidate::of("ARRET").unwrap()));
        assert_eq!(Keyword::new("OPT OUT").unwrap().normal(), "optout");
        assert!(Keyword::new(&"я".repeat(34)).is_ok());
        for (wrong, error) in [
            ("", KeywordError::Empty),
            (" ", KeywordError::Empty),
            ("?!", KeywordError::Empty),
            (&"я".repeat(35), KeywordError::TooLong { given: 35 }),
            (&"ß".repeat(18), KeywordError::TooLong { given: 36 }),
            (
                &format!("{}a", "!".repeat(34)),
                KeywordError::TooLong { given: 35 },
            ),
        ] {
            assert_eq!(Keyword::new(wrong), Err(error), "{wrong:?}");
        }
    }

    #[test]
    fn every_character_is_normalized_once_and_for_all() {
        let is_known = |c: &char| {
            !matches!(
                category(*c),
                GeneralCategory::Unassigned | GeneralCategory::PrivateUse
            )
        };
        for c in ('\0'..=char::MAX).filter(is_known) {
            for text in [c.to_string(), format!("a{c}b")] {
                let once = normalize(&text);
                assert_eq!(normalize(&once), once, "{text:?}");
            }
        }
    }

    /// The quick way for ASCII is the same as the thorough one.
    #[test]
    fn ascii_folds_alike_by_either_way() {
        for byte in 0..128u8 {
            let text = format!("a{}b", char::from(byte));
            assert_eq!(fold(&text), text.to_ascii_lowercase());
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in ".{0,40}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }

        /// Accents in any order and number, and letters that fold to several.
        #[test]
        fn normalizing_accents_twice_changes_nothing(
            text in "[aAαΑιςΣßİıſﬁŉΐᾳᾼᾲ가한 \u{300}\u{301}\u{307}\u{313}\u{314}\u{327}\u{345}´¨…]{1,10}"
        ) {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }

        #[test]
        fn a_keyword_matches_its_own_spelling_in_any_dress(
            text in "\\PC{1,12}",
            before in "[ \"“«(.!\u{200b}]{0,3}",
            after in "[ \"”»).!?…\r\n]{0,3}",
        ) {
            if let Ok(keyword) = Keyword::new(&text) {
                let candidate = Candidate::of(&format!("{before}{text}{after}"));
                prop_assert!(keyword.is(&candidate.unwrap()));
                // Stored and read back, it is the same.
                prop_assert_eq!(Keyword::trusted(keyword.as_str()), keyword);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = Candidate::of(&text);
        }
    }
}
