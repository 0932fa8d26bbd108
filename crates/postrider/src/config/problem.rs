//! What is wrong with a setting: where it is, what was given, what is expected.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

/// One problem with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// From the root: `carriers[0]`, then `port`. Empty for the whole.
    path: Vec<String>,
    text: String,
    /// For an unknown key, every key there is.
    pub(crate) known_keys: Option<&'static [&'static str]>,
}

impl Problem {
    pub(crate) fn at(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: vec![path.into()],
            text: text.into(),
            known_keys: None,
        }
    }

    /// The same problem, seen from the table or list around it.
    #[must_use]
    pub(crate) fn within(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }

    /// The same problem, seen from the list around it.
    #[must_use]
    pub(crate) fn within_element(mut self, index: usize) -> Self {
        self.path.insert(0, format!("[{index}]"));
        self
    }

    fn of_whole(text: String) -> Self {
        Self {
            path: Vec::new(),
            text,
            known_keys: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.path.iter().enumerate() {
            let dot = if depth == 0 || step.starts_with('[') {
                ""
            } else {
                "."
            };
            write!(f, "{dot}{step}")?;
        }
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.text)
    }
}

impl std::error::Error for Problem {}

impl Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of_whole(message.to_string())
    }

    fn invalid_type(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_whole(format!("given {given}, expected {}", in_words(expected)))
    }

    fn invalid_value(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(given, expected)
    }

    fn unknown_variant(given: &str, known: &'static [&'static str]) -> Self {
        let list = known
            .iter()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>();
        let hint = nearest(given, known)
            .map_or_else(String::new, |word| format!("; did you mean \"{word}\"?"));
        Self::of_whole(format!(
            "given \"{given}\", expected {}{hint}",
            list.join(" or ")
        ))
    }

    fn unknown_field(given: &str, known: &'static [&'static str]) -> Self {
        let text = match nearest(given, known) {
            Some(key) => format!("there is no such key; did you mean `{key}`?"),
            None => format!("there is no such key; there are: {}", known.join(", ")),
        };
        Self {
            path: vec![given.to_owned()],
            text,
            known_keys: Some(known),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::at(field, "is required and not given")
    }
}

/// The word that was probably meant.
pub(crate) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&given, word), *word))
        // More than half of it wrong is another word, not a slip.
        .filter(|(distance, word)| *distance * 2 <= word.len().max(given.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// What serde expects, as an operator would say it.
fn in_words(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let words = match expected.as_str() {
        "a boolean" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "f64" => "a number",
        "a string" | "string" => "a text",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_close_or_none() {
        let known = ["listen", "public_url", "trusted_proxies"];
        for (given, expected) in [
            ("lisen", Some("listen")),
            ("LISTEN", Some("listen")),
            ("publicurl", Some("public_url")),
            ("trusted_proxy", Some("trusted_proxies")),
            ("colour", None),
        ] {
            assert_eq!(nearest(given, &known), expected, "{given}");
        }
    }

    #[test]
    fn the_path_leads_to_the_key() {
        let problem = Problem::at("port", "is wrong")
            .within_element(2)
            .within("carriers");
        assert_eq!(problem.to_string(), "carriers[2].port: is wrong");
        assert_eq!(Problem::custom("is wrong").to_string(), "is wrong");
    }
}
