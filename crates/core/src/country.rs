//! Countries, and what senders can do there.
//!
//! A recipient's country decides which senders are candidates: a short code works in one country
//! only, an alpha sender only where carriers show it. What is known of each country is the table in
//! `data/sender_capabilities_by_country.csv`, transcribed from public lists that its `source` column
//! names. Operators override it; *unknown* is never read as yes.

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::serde_as_text;

/// ISO 3166-1 alpha-2 code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    pub const US: Self = Self(*b"US");
    pub const CA: Self = Self(*b"CA");

    /// Two ASCII letters of either case. That the code is assigned is not asked: the list changes,
    /// and a code that nobody uses matches nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The same for a code that people give, which must be one of the table: a typo such as `UK`
    /// would match nothing for ever.
    pub fn parse_known(text: &str) -> Option<Self> {
        Self::parse(text).filter(|country| capabilities(*country).is_some())
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("both bytes are ASCII letters")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text! {
    Country = |text| Country::parse(text).ok_or("expected a country as two letters");
}

/// One country's row: what carriers there do with which sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountryCapabilities {
    pub country: Country,
    /// In English, for people.
    pub name: &'static str,
    /// Whether handsets show alpha senders.
    pub alpha_sender: Support,
    pub preregistration: Preregistration,
    /// Whether a handset can answer a long code of this country.
    pub two_way_long_code: Support,
    /// Whether a handset can answer a sender of any kind.
    pub two_way_any_sender: Support,
    /// What the source adds in words; often empty.
    pub notes: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    Yes,
    No,
    Unknown,
}

/// Whether alpha senders must be registered with the country's carriers before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preregistration {
    #[serde(rename = "no")]
    NotNeeded,
    Required,
    /// Possible, and it improves delivery.
    Recommended,
    /// Required of some companies or volumes only.
    Conditional,
    /// There are no alpha senders to register.
    #[serde(rename = "n/a")]
    NotApplicable,
    Unknown,
}

impl Preregistration {
    /// Whether an unregistered alpha sender deserves a warning (error 30018).
    pub fn is_advisable(self) -> bool {
        match self {
            Self::Required | Self::Recommended | Self::Conditional => true,
            Self::NotNeeded | Self::NotApplicable | Self::Unknown => false,
        }
    }
}

/// What is known of a country; `None` for a code that the table does not list.
pub fn capabilities(country: Country) -> Option<&'static CountryCapabilities> {
    let index = TABLE
        .binary_search_by_key(&country, |row| row.country)
        .ok()?;
    Some(&TABLE[index])
}

/// Every country of the table, by its code.
pub fn countries() -> &'static [CountryCapabilities] {
    &TABLE
}

static TABLE: LazyLock<Vec<CountryCapabilities>> = LazyLock::new(|| {
    let csv = include_str!("../data/sender_capabilities_by_country.csv");
    let mut rows: Vec<_> = csv.lines().skip(1).map(read_row).collect();
    rows.sort_unstable_by_key(|row| row.country);
    rows
});

fn read_row(line: &'static str) -> CountryCapabilities {
    let mut fields = fields(line);
    let mut next = || fields.next().unwrap_or_default();
    CountryCapabilities {
        country: Country::parse(next()).expect("the compiled-in table names its countries"),
        name: next(),
        alpha_sender: read_support(next()),
        preregistration: read_preregistration(next()),
        two_way_long_code: read_support(next()),
        two_way_any_sender: read_support(next()),
        notes: next(),
    }
}

fn read_support(field: &str) -> Support {
    match field {
        "yes" => Support::Yes,
        "no" => Support::No,
        _ => Support::Unknown,
    }
}

fn read_preregistration(field: &str) -> Preregistration {
    match field {
        "no" => Preregistration::NotNeeded,
        "required" => Preregistration::Required,
        "recommended" => Preregistration::Recommended,
        "conditional" => Preregistration::Conditional,
        "n/a" => Preregistration::NotApplicable,
        _ => Preregistration::Unknown,
    }
}

/// The fields of one CSV line. A field in quotes may hold commas; the table has no quotes in fields.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (field, tail) = match text.strip_prefix('"').and_then(|text| text.split_once('"')) {
            Some((field, tail)) => (field, tail.strip_prefix(',')),
            None => match text.split_once(',') {
                Some((field, tail)) => (field, Some(tail)),
                None => (text, None),
            },
        };
        rest = tail;
        Some(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> &'static CountryCapabilities {
        capabilities(Country::parse(code).unwrap()).unwrap()
    }

    #[test]
    fn a_country_is_two_letters_of_either_case() {
        assert_eq!(Country::parse("us"), Some(Country::US));
        assert_eq!(Country::CA.to_string(), "CA");
        for wrong in ["", "U", "USA", "U1", "ÅX", "+1"] {
            assert_eq!(Country::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(Country::parse_known("gb"), Country::parse("GB"));
        for unknown in ["UK", "ZZ", "AA", "USA"] {
            assert_eq!(Country::parse_known(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_found_and_understood() {
        let csv = include_str!("../data/sender_capabilities_by_country.csv");
        let mut count = 0;
        for line in csv.lines().skip(1) {
            let columns: Vec<_> = fields(line).collect();
            assert_eq!(columns.len(), 8, "{line}");
            assert!(!line.contains("\"\""), "quotes within a field: {line}");
            let row = of(columns[0]);
            assert_eq!(row.name, columns[1]);
            assert_eq!(
                row.alpha_sender == Support::Unknown,
                columns[2] == "unknown"
            );
            assert_eq!(
                row.preregistration == Preregistration::Unknown,
                columns[3] == "unknown"
            );
            count += 1;
        }
        assert_eq!(count, 245);
    }

    #[test]
    fn facts_that_selection_relies_on() {
        assert_eq!(of("US").alpha_sender, Support::No);
        assert_eq!(of("CA").alpha_sender, Support::No);
        assert_eq!(of("GB").alpha_sender, Support::Yes);
        assert_eq!(of("DE").alpha_sender, Support::Yes);
        assert_eq!(of("FR").alpha_sender, Support::Yes);
        assert_eq!(of("BQ").alpha_sender, Support::Unknown);
        assert_eq!(of("AE").preregistration, Preregistration::Required);
        assert_eq!(of("IL").preregistration, Preregistration::Conditional);
        assert!(of("RO").preregistration.is_advisable());
        assert!(!of("DE").preregistration.is_advisable());
        assert_eq!(of("CD").name, "Congo, The Democratic Republic of the");
        assert_eq!(of("US").two_way_long_code, Support::Yes);
    }
}
