//! Files of opt-outs: `contact_id,sender_id,status,source,date_of_consent`, a row a line.
//!
//! Read as RFC 4180 has it, but that a field may not go over the end of its line. The first line names
//! the columns, in any order; those that we don't know are passed over, so an export is an import.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use postrider_engine::{Consent, ImportRow};

use crate::consent::{self, ConsentFields, Flaw};

/// The columns of a file that we write.
pub(super) const HEADER: &str = "contact_id,sender_id,status,source,date_of_consent\n";

/// Octets. An honest row has some hundred.
const LINE_MAX: usize = 4_096;

/// Why a file is not read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    Unreadable,
    Missing(&'static str),
    Twice(&'static str),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("the first line")?,
            Self::Missing(column) => write!(f, "there is no column {column}: the first line")?,
            Self::Twice(column) => write!(f, "there are two columns {column}: the first line")?,
        }
        f.write_str(
            " must name the columns contact_id, sender_id and status, and source and \
             date_of_consent if they are there, each once and apart by commas",
        )
    }
}

/// The rows of a file, read one by one. The file stays in memory until they are.
pub(super) struct Rows {
    octets: Bytes,
    at: usize,
    line: u64,
    columns: Columns,
}

/// Where each of the fields is, counted from 0.
struct Columns {
    contact_id: usize,
    sender_id: usize,
    status: usize,
    source: Option<usize>,
    date_of_consent: Option<usize>,
}

impl Rows {
    pub(super) fn new(octets: Bytes) -> Result<Self, HeaderError> {
        let (line, at) = line_at(&octets, 0).ok_or(HeaderError::Unreadable)?;
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let columns = fields(line).map_err(|_| HeaderError::Unreadable)?;
        let columns = Columns::of(&columns)?;
        Ok(Self {
            octets,
            at,
            line: 1,
            columns,
        })
    }
}

impl Columns {
    fn of(names: &[Cow<'_, str>]) -> Result<Self, HeaderError> {
        let find = |wanted: &'static str| {
            let mut places =
                (0..names.len()).filter(|&place| names[place].trim().eq_ignore_ascii_case(wanted));
            let place = places.next();
            match places.next() {
                Some(_) => Err(HeaderError::Twice(wanted)),
                None => Ok(place),
            }
        };
        let needed = |wanted| find(wanted)?.ok_or(HeaderError::Missing(wanted));
        Ok(Self {
            contact_id: needed("contact_id")?,
            sender_id: needed("sender_id")?,
            status: needed("status")?,
            source: find("source")?,
            date_of_consent: find("date_of_consent")?,
        })
    }

    fn read(&self, line: &[u8]) -> Result<Consent, String> {
        let fields = fields(line)?;
        let field = |place: usize| fields.get(place).map_or("", |field| field.trim());
        let fields = ConsentFields {
            contact_id: field(self.contact_id),
            sender_id: field(self.sender_id),
            status: field(self.status),
            source: self.source.map_or("", field),
            date_of_consent: self.date_of_consent.map_or("", field),
        };
        consent::read(fields).map_err(|flaws| {
            let texts: Vec<_> = flaws.into_iter().map(Flaw::text).collect();
            texts.join("; ")
        })
    }
}

impl Iterator for Rows {
    type Item = ImportRow;

    fn next(&mut self) -> Option<ImportRow> {
        loop {
            let (line, at) = line_at(&self.octets, self.at)?;
            self.at = at;
            self.line += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            return Some(ImportRow {
                line: self.line,
                consent: self.columns.read(line),
            });
        }
    }
}

/// The line that begins here, without its end, and where the next one begins.
fn line_at(octets: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = octets.get(at..).filter(|rest| !rest.is_empty())?;
    let end = rest.iter().position(|&octet| octet == b'\n');
    let line = &rest[..end.unwrap_or(rest.len())];
    let next = at + end.map_or(rest.len(), |end| end + 1);
    Some((line.strip_suffix(b"\r").unwrap_or(line), next))
}

fn fields(line: &[u8]) -> Result<Vec<Cow<'_, str>>, String> {
    if line.len() > LINE_MAX {
        return Err(format!("the line has more than {LINE_MAX} octets"));
    }
    let line = str::from_utf8(line).map_err(|_| "the line is no UTF-8".to_owned())?;
    let mut fields = Vec::with_capacity(5);
    let mut rest = line;
    loop {
        let (field, behind) = field(rest)?;
        fields.push(field);
        match behind {
            Some(behind) => rest = behind,
            None => return Ok(fields),
        }
    }
}

/// The first field, and what comes after its comma.
fn field(text: &str) -> Result<(Cow<'_, str>, Option<&str>), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Ok(match text.split_once(',') {
            Some((field, behind)) => (field.into(), Some(behind)),
            None => (text.into(), None),
        });
    };
    let mut field = String::new();
    let mut rest = quoted;
    loop {
        let Some((part, behind)) = rest.split_once('"') else {
            return Err("a quoted field does not end on its line".to_owned());
        };
        field.push_str(part);
        if let Some(behind) = behind.strip_prefix('"') {
            field.push('"');
            rest = behind;
        } else if behind.is_empty() {
            return Ok((field.into(), None));
        } else if let Some(behind) = behind.strip_prefix(',') {
            return Ok((field.into(), Some(behind)));
        } else {
            return Err("there is something between a quoted field and the comma".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::sid::ServiceSid;
    use postrider_engine::ListOwner;
    use proptest::prelude::*;

    use super::*;

    const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

    fn rows(text: &str) -> Vec<(u64, bool)> {
        let rows = Rows::new(Bytes::from(text.to_owned())).unwrap();
        rows.map(|row| (row.line, row.consent.is_ok())).collect()
    }

    #[test]
    fn columns_come_in_any_order_and_lines_end_as_they_like() {
        let text = format!(
            "\u{feff}Status,note, sender_id ,contact_id\r\nopt-out,\"a, \"\"b\"\"\",{SERVICE},+14155550199\r\n\r\n\"opt-in\",,{SERVICE},\"+14155550198\""
        );
        let mut rows = Rows::new(Bytes::from(text)).unwrap();
        let service: ServiceSid = SERVICE.parse().unwrap();
        for (line, is_opt_out) in [(2, true), (4, false)] {
            let row = rows.next().unwrap();
            let consent = row.consent.unwrap();
            assert_eq!(row.line, line);
            assert_eq!(consent.is_opt_out, is_opt_out);
            assert_eq!(consent.owner, ListOwner::Service(service));
        }
        assert!(rows.next().is_none());
    }

    #[test]
    fn a_bad_row_is_told_by_its_line_and_the_others_count() {
        let long = "x".repeat(LINE_MAX + 1);
        let text = format!(
            "contact_id,sender_id,status\n\
             +14155550199,{SERVICE},opt-out\n\
             +14155550199,{SERVICE}\n\
             \"+14155550199,{SERVICE},opt-out\n\
             \"+14155550199\"x,{SERVICE},opt-out\n\
             {long}\n\
             +14155550199,{SERVICE},opt-in,,,\n"
        );
        let expected = [
            (2, true),
            (3, false),
            (4, false),
            (5, false),
            (6, false),
            (7, true),
        ];
        assert_eq!(rows(&text), expected);
        let octets = [&b"contact_id,sender_id,status\n\xFF"[..], b",1,2\n"].concat();
        let mut rows = Rows::new(octets.into()).unwrap();
        assert_eq!(
            rows.next().unwrap().consent.unwrap_err(),
            "the line is no UTF-8"
        );
    }

    #[test]
    fn without_columns_nothing_is_read() {
        use HeaderError::{Missing, Twice, Unreadable};
        for (text, expected) in [
            ("", Unreadable),
            ("\"a", Unreadable),
            ("+14155550199,MG1,opt-out\n", Missing("contact_id")),
            ("contact_id,sender_id\n", Missing("status")),
            ("contact_id,sender_id,status,STATUS\n", Twice("status")),
        ] {
            let read = Rows::new(Bytes::from(text)).err();
            assert_eq!(read, Some(expected), "{text}");
        }
        assert!(Rows::new(Bytes::from(HEADER)).unwrap().next().is_none());
    }

    proptest! {
        #[test]
        fn any_octets_are_rows_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(rows) = Rows::new(octets.clone().into()) {
                prop_assert!(rows.count() <= octets.len());
            }
            let behind = [HEADER.as_bytes(), &octets].concat();
            let rows = Rows::new(behind.into()).unwrap();
            prop_assert!(rows.count() <= octets.len() + 1);
        }
    }
}
