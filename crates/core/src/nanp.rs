//! The North American Numbering Plan: area codes, and which of them overlay each other.
//!
//! All of +1: the United States, Canada, and over twenty other countries and territories that are
//! neither. Selection asks two things of it: which country is this number in, and does this sender
//! look local to that recipient. The tables are compiled in: `data/nanp_overlays.csv` (every
//! geographic code of the US and Canada with its overlay groups) and `data/nanp_special_codes.csv`
//! (all others). The administrator's own reports are at <https://www.nanpa.com> and
//! <https://www.cnac.ca>.

use std::fmt;
use std::sync::LazyLock;

use crate::country::Country;

/// The first three digits of a +1 number: 200 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaCode(u16);

impl AreaCode {
    /// `None` outside 200 to 999: an area code never starts with 0 or 1.
    pub fn new(code: u16) -> Option<Self> {
        (200..=999).contains(&code).then_some(Self(code))
    }

    pub fn number(self) -> u16 {
        self.0
    }

    pub fn assignment(self) -> Assignment {
        self.row().assignment
    }

    /// The country of numbers with this code. Codes that belong to no single country (toll-free,
    /// premium rate) and codes that the table does not know count as the plan's main country, the US.
    pub fn country(self) -> Country {
        match self.assignment() {
            Assignment::Geographic(country) | Assignment::NonGeographic(country) => country,
            Assignment::TollFree | Assignment::PremiumRate | Assignment::Unassigned => Country::US,
        }
    }

    fn row(self) -> &'static Row {
        &TABLE[usize::from(self.0 - FIRST)]
    }
}

impl fmt::Display for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an area code is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// A place in this country.
    Geographic(Country),
    /// Personal, government and machine numbers of this country: nowhere in particular.
    NonGeographic(Country),
    /// In use or reserved for it.
    TollFree,
    PremiumRate,
    /// Not known to be in use. Fictional numbers and brand-new codes look like this.
    Unassigned,
}

/// Whether two different area codes share territory: they have an overlay group in common.
///
/// Not transitive: 917 overlays 212 and 718, yet 212 and 718 are different parts of New York. A code
/// is not its own overlay, so that "same code" and "overlay" stay two answers.
pub fn are_overlays(a: AreaCode, b: AreaCode) -> bool {
    a != b
        && a.row()
            .groups
            .iter()
            .flatten()
            .any(|group| b.row().groups.contains(&Some(group)))
}

/// The largest number of overlay groups that one code belongs to (917 and its like).
const GROUPS_MAX: usize = 2;
const FIRST: u16 = 200;

#[derive(Clone, Copy)]
struct Row {
    assignment: Assignment,
    groups: [Option<&'static str>; GROUPS_MAX],
}

/// One row per code from 200 to 999.
static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let unassigned = Row {
        assignment: Assignment::Unassigned,
        groups: [None; GROUPS_MAX],
    };
    let mut table = vec![unassigned; 800];
    for (code, row) in overlay_rows().chain(special_rows()) {
        table[usize::from(code.0 - FIRST)] = row;
    }
    table
});

fn overlay_rows() -> impl Iterator<Item = (AreaCode, Row)> {
    rows(include_str!("../data/nanp_overlays.csv")).map(|[code, country, _region, groups]| {
        let mut names = groups.split(';').filter(|name| !name.is_empty());
        let row = Row {
            assignment: Assignment::Geographic(read_country(country)),
            groups: std::array::from_fn(|_| names.next()),
        };
        debug_assert!(
            names.next().is_none(),
            "{code} is in more than {GROUPS_MAX} groups"
        );
        (read_code(code), row)
    })
}

fn special_rows() -> impl Iterator<Item = (AreaCode, Row)> {
    rows(include_str!("../data/nanp_special_codes.csv")).map(|[code, kind, country, _notes]| {
        let assignment = match kind {
            "toll_free" | "toll_free_reserved" => Assignment::TollFree,
            "premium" => Assignment::PremiumRate,
            "other_nanp_country" => Assignment::Geographic(read_country(country)),
            _ => Assignment::NonGeographic(read_country(country)),
        };
        let groups = [None; GROUPS_MAX];
        (read_code(code), Row { assignment, groups })
    })
}

/// The first four columns of a table without quoted fields, header skipped.
fn rows(csv: &'static str) -> impl Iterator<Item = [&'static str; 4]> {
    csv.lines().skip(1).map(|line| {
        let mut columns = line.split(',');
        std::array::from_fn(|_| columns.next().unwrap_or_default())
    })
}

fn read_code(field: &str) -> AreaCode {
    field
        .parse()
        .ok()
        .and_then(AreaCode::new)
        .expect("the compiled-in table lists area codes")
}

fn read_country(field: &str) -> Country {
    Country::parse(field).expect("the compiled-in table names countries")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u16) -> AreaCode {
        AreaCode::new(number).unwrap()
    }

    #[test]
    fn an_area_code_starts_with_two_to_nine() {
        for number in [0, 1, 99, 100, 199, 1000, u16::MAX] {
            assert_eq!(AreaCode::new(number), None, "{number}");
        }
        assert_eq!(code(200).number(), 200);
        assert_eq!(code(999).to_string(), "999");
    }

    /// Every pair of rows: overlays exactly when the group columns have a name in common.
    #[test]
    fn every_overlay_group_of_the_table_holds_and_nothing_else_does() {
        let table: Vec<_> = rows(include_str!("../data/nanp_overlays.csv")).collect();
        assert_eq!(table.len(), 429);
        for [a, .., groups_a] in &table {
            for [b, .., groups_b] in &table {
                let shares = groups_a
                    .split(';')
                    .any(|group| !group.is_empty() && groups_b.split(';').any(|g| g == group));
                assert_eq!(
                    are_overlays(read_code(a), read_code(b)),
                    a != b && shares,
                    "{a} in {groups_a:?} and {b} in {groups_b:?}"
                );
            }
        }
    }

    #[test]
    fn overlay_is_not_transitive() {
        for (a, b) in [(628, 415), (917, 212), (917, 718), (647, 416), (646, 212)] {
            assert!(are_overlays(code(a), code(b)), "{a} {b}");
            assert!(are_overlays(code(b), code(a)), "{b} {a}");
        }
        for (a, b) in [
            (212, 718),
            (404, 770),
            (312, 773),
            (403, 780),
            (604, 250),
            (212, 415),
        ] {
            assert!(!are_overlays(code(a), code(b)), "{a} {b}");
        }
        assert!(!are_overlays(code(415), code(415)));
        // No group, toll-free, unassigned: nobody's overlay.
        assert!(!are_overlays(code(207), code(406)));
        assert!(!are_overlays(code(800), code(888)));
        assert!(!are_overlays(code(555), code(211)));
    }

    #[test]
    fn plus_one_is_more_than_the_united_states() {
        let country = |number| code(number).country().to_string();
        assert_eq!(country(415), "US");
        assert_eq!(country(416), "CA");
        assert_eq!(country(787), "PR");
        assert_eq!(country(939), "PR");
        assert_eq!(country(876), "JM");
        assert_eq!(country(658), "JM");
        assert_eq!(country(809), "DO");
        assert_eq!(country(671), "GU");
        assert_eq!(country(600), "CA");
        assert_eq!(country(500), "US");
        assert_eq!(country(888), "US");
        assert_eq!(country(555), "US");
    }

    #[test]
    fn special_codes_are_no_places() {
        for number in [800, 833, 844, 855, 866, 877, 888] {
            assert_eq!(code(number).assignment(), Assignment::TollFree);
        }
        assert_eq!(code(900).assignment(), Assignment::PremiumRate);
        assert_eq!(
            code(710).assignment(),
            Assignment::NonGeographic(Country::US)
        );
        assert_eq!(code(555).assignment(), Assignment::Unassigned);
    }
}
