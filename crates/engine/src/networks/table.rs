//! The operator's table: prefixes and whole numbers with their networks, the longest match wins.
//!
//! It may have millions of rows, so each takes ten bytes: prefixes of one length stand sorted in one
//! array, the networks, of which there are few, in another that they point into. A question is one
//! search per length.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use postrider_core::clock::Millis;
use postrider_core::network::Network;
use postrider_core::phone_number::PhoneNumber;
use rustc_hash::FxHashMap;

use super::{Answer, Finding, Lookup, NetworkLookup, Source};

/// Digits of a number at most (E.164).
const DIGITS_MAX: usize = 15;

/// Bad rows that are told one by one.
const TOLD_MAX: usize = 5;

/// A line is a number, two codes and a name. Longer ones are not read to their end.
const LINE_LEN_MAX: u64 = 4_096;

/// See the module.
#[derive(Debug, Default, PartialEq)]
pub struct Table {
    /// Each network once.
    networks: Vec<Network>,
    /// Longest first.
    lengths: Vec<OfLength>,
    read_ms: Millis,
}

/// The prefixes of one length.
#[derive(Debug, PartialEq)]
struct OfLength {
    digits: u32,
    /// Ascending.
    prefixes: Box<[u64]>,
    /// For each prefix its network's place.
    networks: Box<[u16]>,
}

/// A table that can't be used.
#[derive(Debug)]
pub enum BadTable {
    Unreadable(io::Error),
    /// The first few, and how many more.
    Rows {
        told: Vec<BadRow>,
        more: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// From 1.
    pub line: usize,
    pub problem: String,
}

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Rows { told, more } => {
                for (index, row) in told.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "; " };
                    write!(f, "{comma}line {}: {}", row.line, row.problem)?;
                }
                if *more > 0 {
                    write!(f, "; and {more} more")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for BadTable {}

impl Table {
    pub fn of_file(path: &Path, now_ms: Millis) -> Result<Self, BadTable> {
        let file = File::open(path).map_err(BadTable::Unreadable)?;
        Self::read(BufReader::new(file), now_ms)
    }

    /// Reads `prefix_or_number,mcc,mnc[,name]`. Empty lines, lines that begin with `#` and a first line
    /// of titles are passed over.
    pub fn read(mut text: impl BufRead, now_ms: Millis) -> Result<Self, BadTable> {
        let mut rows = Rows::default();
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let mut limited = io::Read::take(&mut text, LINE_LEN_MAX);
            let len = limited.read_until(b'\n', &mut bytes);
            let len = len.map_err(BadTable::Unreadable)?;
            if len == 0 {
                break;
            }
            if len as u64 == LINE_LEN_MAX && bytes.last() != Some(&b'\n') {
                rows.note(line, "is too long for a row".to_owned());
                break;
            }
            match str::from_utf8(&bytes) {
                Ok(row) => rows.read(line, row.trim().trim_start_matches('\u{feff}')),
                Err(_) => rows.note(line, "is not UTF-8".to_owned()),
            }
        }
        rows.into_table(now_ms)
    }

    /// Rows, without those that say the same again.
    pub fn len(&self) -> usize {
        self.lengths
            .iter()
            .map(|length| length.prefixes.len())
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The network of the longest prefix of this number.
    pub fn find(&self, number: PhoneNumber) -> Option<Network> {
        let digits = number.digits();
        let len = digits.ilog10() + 1;
        let fitting = self.lengths.iter().filter(|length| length.digits <= len);
        let mut found = fitting.filter_map(|length| {
            let prefix = digits / 10_u64.pow(len - length.digits);
            let place = length.prefixes.binary_search(&prefix).ok()?;
            self.networks.get(usize::from(length.networks[place]))
        });
        found.next().copied()
    }
}

impl NetworkLookup for Table {
    fn look_up(&self, number: PhoneNumber) -> Lookup {
        Lookup::Answered(self.tell(number))
    }
}

impl Table {
    pub(super) fn tell(&self, number: PhoneNumber) -> Answer {
        Answer {
            finding: self.find(number).map_or(Finding::Unknown, Finding::Known),
            source: Source::Table,
            as_of_ms: self.read_ms,
        }
    }
}

/// Rows as they are read.
#[derive(Default)]
struct Rows {
    networks: Vec<Network>,
    places: FxHashMap<Network, u16>,
    /// By number of digits less one: prefix, place of the network, line.
    lengths: [Vec<(u64, u16, u32)>; DIGITS_MAX],
    bad: Vec<BadRow>,
    more: usize,
}

impl Rows {
    fn note(&mut self, line: usize, problem: String) {
        if self.bad.len() < TOLD_MAX {
            self.bad.push(BadRow { line, problem });
        } else {
            self.more += 1;
        }
    }

    fn read(&mut self, line: usize, row: &str) {
        let is_titles = || line == 1 && row.starts_with(|c: char| c.is_ascii_alphabetic());
        if row.is_empty() || row.starts_with('#') || is_titles() {
            return;
        }
        let mut fields = row.split(',').map(|field| field.trim().trim_matches('"'));
        let mut next = || fields.next().unwrap_or_default();
        let (prefix, mcc, mnc) = (next(), next(), next());
        let digits = prefix.strip_prefix('+').unwrap_or(prefix);
        let is_prefix = (1..=DIGITS_MAX).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let Some(number) = is_prefix.then(|| digits.parse().ok()).flatten() else {
            let problem =
                format!("given \"{prefix}\", expected 1 to 15 leading digits of a number in E.164");
            return self.note(line, problem);
        };
        let Ok(network) = Network::of_digits(mcc, mnc) else {
            let problem = format!(
                "given \"{mcc}\" and \"{mnc}\", expected an MCC and an MNC such as 310 and 260"
            );
            return self.note(line, problem);
        };
        let Some(place) = self.place(network) else {
            return self.note(
                line,
                "names more different networks than there are".to_owned(),
            );
        };
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.lengths[digits.len() - 1].push((number, place, line));
    }

    fn place(&mut self, network: Network) -> Option<u16> {
        if let Some(&place) = self.places.get(&network) {
            return Some(place);
        }
        let place = u16::try_from(self.networks.len()).ok()?;
        self.networks.push(network);
        self.places.insert(network, place);
        Some(place)
    }

    fn into_table(mut self, read_ms: Millis) -> Result<Table, BadTable> {
        let mut lengths = Vec::new();
        for (digits, mut rows) in (1..).zip(std::mem::take(&mut self.lengths)) {
            if rows.is_empty() {
                continue;
            }
            rows.sort_unstable();
            rows.dedup_by_key(|&mut (prefix, place, _)| (prefix, place));
            for pair in rows.windows(2) {
                let ((prefix, _, one), (next, _, other)) = (pair[0], pair[1]);
                if prefix == next {
                    let (first, last) = (one.min(other), one.max(other));
                    let problem = format!("{prefix} has another network in line {first}");
                    self.note(last as usize, problem);
                }
            }
            lengths.push(OfLength {
                digits,
                prefixes: rows.iter().map(|&(prefix, ..)| prefix).collect(),
                networks: rows.iter().map(|&(_, place, _)| place).collect(),
            });
        }
        if !self.bad.is_empty() {
            let (told, more) = (self.bad, self.more);
            return Err(BadTable::Rows { told, more });
        }
        lengths.reverse();
        Ok(Table {
            networks: self.networks,
            lengths,
            read_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Table, String> {
        Table::read(text.as_bytes(), 7).map_err(|bad| bad.to_string())
    }

    fn find(table: &Table, number: &str) -> Option<String> {
        let number = PhoneNumber::parse(number).unwrap();
        table.find(number).map(|network| network.to_string())
    }

    #[test]
    fn the_longest_prefix_wins_and_a_ported_number_has_its_own() {
        let table = read(
            "\u{feff}prefix_or_number,mcc,mnc,name\r\n\
             1,310,410,AT&T\r\n\
             # T-Mobile\n\
             \n\
             +1415, 310, 260, \"T-Mobile, US\"\n\
             14155550199,311,480\n\
             14155550199,311,480,again\n\
             44,\"234\",\"10\"",
        )
        .unwrap();
        assert_eq!(table.len(), 4);
        for (number, network) in [
            ("+14155550199", Some("311-480")),
            ("+14155550198", Some("310-260")),
            ("+12125550199", Some("310-410")),
            ("+447700900199", Some("234-10")),
            ("+4915110000001", None),
        ] {
            assert_eq!(find(&table, number).as_deref(), network, "{number}");
        }
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn bad_rows_are_told_with_their_lines() {
        let long = format!("1415,310,260,{}", "x".repeat(5_000));
        for (text, expected) in [
            (
                "1415,310",
                "line 1: given \"310\" and \"\", expected an MCC and an MNC such as 310 and 260",
            ),
            (
                "1415,310,260\n1416,31,260",
                "line 2: given \"31\" and \"260\", expected an MCC and an MNC such as 310 and 260",
            ),
            (
                "prefix,mcc,mnc\nprefix,mcc,mnc",
                "line 2: given \"prefix\", expected 1 to 15 leading digits of a number in E.164",
            ),
            (
                "0415,310,260",
                "line 1: given \"0415\", expected 1 to 15 leading digits of a number in E.164",
            ),
            (
                "1234567890123456,310,260",
                "line 1: given \"1234567890123456\", expected 1 to 15 leading digits of a number in E.164",
            ),
            (
                "1415,310,260\n\n1415,310,410",
                "line 3: 1415 has another network in line 1",
            ),
            (long.as_str(), "line 1: is too long for a row"),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text:.40}");
        }
        assert_eq!(
            Table::read(&b"1415,310,260,\xFF"[..], 0)
                .unwrap_err()
                .to_string(),
            "line 1: is not UTF-8"
        );
        let many = read(&"x\n".repeat(9)).unwrap_err();
        assert!(
            many.starts_with("line 2: ") && many.ends_with("; and 3 more"),
            "{many}"
        );
    }

    proptest! {
        #[test]
        fn it_finds_what_a_look_at_every_row_finds(
            rows in proptest::collection::btree_map("1(4(1(5(5(5)?)?)?)?)?[0-9]{0,3}", 0_u16..5, 0..40),
            numbers in proptest::collection::vec(14_155_550_000_u64..14_155_559_999, 20),
        ) {
            let rows: Vec<_> = rows.into_iter().filter(|(prefix, _)| prefix.len() <= 15).collect();
            let lines: Vec<_> = rows.iter().map(|(prefix, mnc)| format!("{prefix},310,{mnc}")).collect();
            let table = read(&lines.join("\n")).unwrap();
            prop_assert_eq!(table.len(), rows.len());
            for digits in numbers {
                let number = PhoneNumber::from_digits(digits).unwrap();
                let written = digits.to_string();
                let fits = rows.iter().filter(|(prefix, _)| written.starts_with(prefix.as_str()));
                let longest = fits.max_by_key(|(prefix, _)| prefix.len());
                let expected = longest.map(|&(_, mnc)| Network::new(310, mnc).unwrap());
                prop_assert_eq!(table.find(number), expected);
            }
        }
    }
}
