//! What a `command_status` in answer to a `submit_sm` means: carriers.md's table, as data.
//!
//! The built-in table follows SMPP v3.4 section 5.1.3. Carriers reuse values, so every row can be
//! overridden by configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use postrider_core::error_code::ErrorCode;
use serde::Deserialize;

use super::pdu::CommandStatus;
use crate::contract::RefusalClass;

/// What follows from a status other than OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Over the rate: freeze the bind, slow down, try again.
    Throttle,
    /// The bind itself is broken: drop it; the message was not taken.
    LinkFault,
    /// Send it once more in another form; if that fails too, the refusal is final.
    Resend(Variant),
    /// It answers something that we did not ask: the submit is still unanswered.
    Ignore,
    Refuse(RefusalClass),
}

/// How a second try differs from the first on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Without `validity_period`.
    WithoutTimes,
    /// Without the TLVs that the text does not need.
    WithoutTlvs,
    AsUcs2,
}

/// Why a refusal is no message's fault, so that the next one will fare the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// We have written what no ESME should.
    Bug,
    /// The carrier's settings here do not fit the account there.
    Configuration,
}

/// A verdict and the error code that the message ends with if nothing else helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub verdict: Verdict,
    pub code: ErrorCode,
    /// What the operator is to be told of.
    pub fault: Option<Fault>,
}

/// One override from the configuration: `[carriers.status.0x00000045]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusOverride {
    pub class: StatusClass,
    /// Final error code; 30008 when absent.
    pub code: Option<u32>,
}

/// The classes an override can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusClass {
    Throttle,
    LinkFault,
    RetrySame,
    RetrySoon,
    RetryOther,
    Fail,
    Config,
}

impl StatusClass {
    fn verdict(self) -> Verdict {
        match self {
            Self::Throttle => Verdict::Throttle,
            Self::LinkFault => Verdict::LinkFault,
            Self::RetrySame => Verdict::Refuse(RefusalClass::RetrySame),
            Self::RetrySoon => Verdict::Refuse(RefusalClass::RetrySoon),
            Self::RetryOther => Verdict::Refuse(RefusalClass::RetryOther),
            Self::Fail => Verdict::Refuse(RefusalClass::Fail),
            Self::Config => Verdict::Refuse(RefusalClass::Config),
        }
    }
}

/// The built-in table with one carrier's overrides in front of it.
#[derive(Clone, Debug, Default)]
pub struct StatusTable {
    overrides: BTreeMap<u32, Meaning>,
}

impl StatusTable {
    pub fn new(overrides: impl IntoIterator<Item = (u32, Meaning)>) -> Self {
        Self {
            overrides: overrides.into_iter().collect(),
        }
    }

    /// Whether `status` in an answer to a submit is no answer to it.
    pub fn ignores(&self, status: CommandStatus) -> bool {
        self.meaning(status, false).verdict == Verdict::Ignore
    }

    /// What `status` means for a message whose sender is alphanumeric or not.
    pub fn meaning(&self, status: CommandStatus, sender_is_alpha: bool) -> Meaning {
        if let Some(meaning) = self.overrides.get(&status.0) {
            return *meaning;
        }
        let row = row(status);
        let code = match row.map(|row| row.code) {
            Some(Code::BySender) if sender_is_alpha => ErrorCode::SenderIdRefused,
            Some(Code::BySender) => ErrorCode::NumericSenderNotProvisioned,
            Some(Code::Is(code)) => code,
            None => ErrorCode::UnknownFailure,
        };
        let verdict = row.map_or(Verdict::Refuse(RefusalClass::RetryOther), |row| row.verdict);
        let fault = row.and_then(|row| row.fault);
        Meaning {
            verdict,
            code,
            fault,
        }
    }
}

impl StatusOverride {
    /// The meaning, or the number that is no error code.
    pub fn meaning(self) -> Result<Meaning, u32> {
        let code = match self.code {
            Some(number) => ErrorCode::try_from(number).map_err(|_| number)?,
            None if self.class == StatusClass::Throttle => ErrorCode::CarrierCongested,
            None => ErrorCode::UnknownFailure,
        };
        let verdict = self.class.verdict();
        Ok(Meaning {
            verdict,
            code,
            fault: fault_of(verdict),
        })
    }
}

/// The carrier's answer in words for the record: `0x0000000B RINVDSTADR`.
pub fn describe(status: CommandStatus) -> Box<str> {
    let mut text = format!("{status:?}");
    if let Some(row) = row(status) {
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", row.name);
    }
    text.into()
}

struct Row {
    first: u32,
    last: u32,
    name: &'static str,
    verdict: Verdict,
    code: Code,
    fault: Option<Fault>,
}

#[derive(Clone, Copy)]
enum Code {
    Is(ErrorCode),
    /// A refused sender: one code for numbers, another for alphanumeric ids.
    BySender,
}

fn row(status: CommandStatus) -> Option<&'static Row> {
    let after = TABLE.partition_point(|row| row.first <= status.0);
    TABLE[..after].last().filter(|row| status.0 <= row.last)
}

const THROTTLE: Verdict = Verdict::Throttle;
const LINK_FAULT: Verdict = Verdict::LinkFault;
const RETRY_SAME: Verdict = Verdict::Refuse(RefusalClass::RetrySame);
const RETRY_SOON: Verdict = Verdict::Refuse(RefusalClass::RetrySoon);
const RETRY_OTHER: Verdict = Verdict::Refuse(RefusalClass::RetryOther);
const FAIL: Verdict = Verdict::Refuse(RefusalClass::Fail);
const CONFIG: Verdict = Verdict::Refuse(RefusalClass::Config);
const UNKNOWN: Code = Code::Is(ErrorCode::UnknownFailure);
const CONGESTED: Code = Code::Is(ErrorCode::CarrierCongested);

const fn row_of(first: u32, last: u32, name: &'static str, verdict: Verdict, code: Code) -> Row {
    Row {
        first,
        last,
        name,
        verdict,
        code,
        fault: fault_of(verdict),
    }
}

/// A class that stops the carrier is the operator's to mend.
const fn fault_of(verdict: Verdict) -> Option<Fault> {
    match verdict {
        Verdict::Refuse(RefusalClass::Config) => Some(Fault::Configuration),
        Verdict::Throttle
        | Verdict::LinkFault
        | Verdict::Resend(_)
        | Verdict::Ignore
        | Verdict::Refuse(
            RefusalClass::RetrySame
            | RefusalClass::RetrySoon
            | RefusalClass::RetryOther
            | RefusalClass::Fail,
        ) => None,
    }
}

/// The message fails and the operator is told, for the next one would fail too.
const fn alarming(status: u32, name: &'static str, fault: Fault) -> Row {
    Row {
        fault: Some(fault),
        ..one(status, name, FAIL, UNKNOWN)
    }
}

const fn one(status: u32, name: &'static str, verdict: Verdict, code: Code) -> Row {
    row_of(status, status, name, verdict, code)
}

/// Ascending and without overlap; a status in no row is met with another carrier, once. Rows that
/// carriers.md 2.3 does not list (answers to requests that we never make) do the same, and are here
/// for their names.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    alarming(0x01, "RINVMSGLEN", Fault::Bug),
    alarming(0x02, "RINVCMDLEN", Fault::Bug),
    alarming(0x03, "RINVCMDID", Fault::Bug),
    one(0x04, "RINVBNDSTS", LINK_FAULT, UNKNOWN),
    one(0x05, "RALYBND", LINK_FAULT, UNKNOWN),
    alarming(0x06, "RINVPRTFLG", Fault::Configuration),
    alarming(0x07, "RINVREGDLVFLG", Fault::Configuration),
    one(0x08, "RSYSERR", RETRY_SOON, UNKNOWN),
    one(0x0A, "RINVSRCADR", RETRY_OTHER, Code::BySender),
    one(0x0B, "RINVDSTADR", FAIL, Code::Is(ErrorCode::HandsetUnknown)),
    one(0x0C, "RINVMSGID", RETRY_OTHER, UNKNOWN),
    one(0x0D, "RBINDFAIL", LINK_FAULT, UNKNOWN),
    one(0x0E, "RINVPASWD", LINK_FAULT, UNKNOWN),
    one(0x0F, "RINVSYSID", LINK_FAULT, UNKNOWN),
    one(0x11, "RCANCELFAIL", RETRY_OTHER, UNKNOWN),
    one(0x13, "RREPLACEFAIL", RETRY_OTHER, UNKNOWN),
    one(0x14, "RMSGQFUL", THROTTLE, CONGESTED),
    one(0x15, "RINVSERTYP", CONFIG, UNKNOWN),
    one(0x33, "RINVNUMDESTS", RETRY_OTHER, UNKNOWN),
    one(0x34, "RINVDLNAME", RETRY_OTHER, UNKNOWN),
    one(0x40, "RINVDESTFLAG", FAIL, UNKNOWN),
    one(0x42, "RINVSUBREP", FAIL, UNKNOWN),
    alarming(0x43, "RINVESMCLASS", Fault::Configuration),
    one(0x44, "RCNTSUBDL", FAIL, UNKNOWN),
    one(0x45, "RSUBMITFAIL", RETRY_OTHER, UNKNOWN),
    one(0x48, "RINVSRCTON", CONFIG, UNKNOWN),
    one(0x49, "RINVSRCNPI", CONFIG, UNKNOWN),
    one(0x50, "RINVDSTTON", CONFIG, UNKNOWN),
    one(0x51, "RINVDSTNPI", CONFIG, UNKNOWN),
    one(0x53, "RINVSYSTYP", FAIL, UNKNOWN),
    one(0x54, "RINVREPFLAG", FAIL, UNKNOWN),
    one(0x55, "RINVNUMMSGS", FAIL, UNKNOWN),
    one(0x58, "RTHROTTLED", THROTTLE, CONGESTED),
    one(0x61, "RINVSCHED", Verdict::Resend(Variant::WithoutTimes), UNKNOWN),
    one(0x62, "RINVEXPIRY", Verdict::Resend(Variant::WithoutTimes), UNKNOWN),
    one(0x63, "RINVDFTMSGID", FAIL, UNKNOWN),
    one(0x64, "RX_T_APPN", RETRY_SAME, UNKNOWN),
    one(0x65, "RX_P_APPN", FAIL, UNKNOWN),
    one(0x66, "RX_R_APPN", FAIL, Code::Is(ErrorCode::MessageFiltered)),
    one(0x67, "RQUERYFAIL", Verdict::Ignore, UNKNOWN),
    one(0xC0, "RINVOPTPARSTREAM", Verdict::Resend(Variant::WithoutTlvs), UNKNOWN),
    one(0xC1, "ROPTPARNOTALLWD", Verdict::Resend(Variant::WithoutTlvs), UNKNOWN),
    one(0xC2, "RINVPARLEN", Verdict::Resend(Variant::WithoutTlvs), UNKNOWN),
    one(0xC3, "RMISSINGOPTPARAM", Verdict::Resend(Variant::WithoutTlvs), UNKNOWN),
    one(0xC4, "RINVOPTPARAMVAL", Verdict::Resend(Variant::WithoutTlvs), UNKNOWN),
    one(0xFE, "RDELIVERYFAILURE", FAIL, UNKNOWN),
    one(0xFF, "RUNKNOWNERR", RETRY_OTHER, UNKNOWN),
    // SMPP v5.0, section 4.7.6.
    one(0x100, "RSERTYPUNAUTH", CONFIG, UNKNOWN),
    one(0x101, "RPROHIBITED", CONFIG, UNKNOWN),
    one(0x102, "RSERTYPUNAVAIL", CONFIG, UNKNOWN),
    one(0x103, "RSERTYPDENIED", CONFIG, UNKNOWN),
    one(0x104, "RINVDCS", Verdict::Resend(Variant::AsUcs2), UNKNOWN),
    row_of(0x105, 0x112, "SMPP 5.0 refusal", FAIL, UNKNOWN),
    row_of(0x400, 0x4FF, "vendor specific", FAIL, UNKNOWN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_without_overlap() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].first <= pair[0].last && pair[0].last < pair[1].first);
        }
    }

    /// One row per line of carriers.md 2.3.
    #[test]
    fn each_status_has_its_class_and_code() {
        let table = StatusTable::default();
        let resend = Verdict::Resend;
        for (statuses, verdict, code) in [
            (&[0x01, 0x02, 0x03][..], FAIL, 30008),
            (&[0x04, 0x0D, 0x0E, 0x0F], LINK_FAULT, 30008),
            (&[0x06, 0x07], FAIL, 30008),
            (&[0x08], RETRY_SOON, 30008),
            (&[0x0A], RETRY_OTHER, 30024),
            (&[0x0B], FAIL, 30005),
            (&[0x14, 0x58], THROTTLE, 30017),
            (&[0x15, 0x48, 0x49, 0x50, 0x51], CONFIG, 30008),
            (
                &[0x40, 0x42, 0x43, 0x44, 0x53, 0x54, 0x55, 0x63, 0x65, 0xFE],
                FAIL,
                30008,
            ),
            (&[0x45, 0xFF], RETRY_OTHER, 30008),
            (&[0x61, 0x62], resend(Variant::WithoutTimes), 30008),
            (&[0x64], RETRY_SAME, 30008),
            (&[0x66], FAIL, 30007),
            (&[0x67], Verdict::Ignore, 30008),
            (
                &[0xC0, 0xC1, 0xC2, 0xC3, 0xC4],
                resend(Variant::WithoutTlvs),
                30008,
            ),
            (&[0x100, 0x101, 0x102, 0x103], CONFIG, 30008),
            (&[0x104], resend(Variant::AsUcs2), 30008),
            (&[0x105, 0x112, 0x400, 0x4FF], FAIL, 30008),
            // Unlisted there: answers to what we never ask, and what nobody has defined.
            (&[0x0C, 0x11, 0x13, 0x33, 0x34], RETRY_OTHER, 30008),
            (&[0x113, 0x3FF, 0x500, 0x16, u32::MAX], RETRY_OTHER, 30008),
        ] {
            for status in statuses {
                let meaning = table.meaning(CommandStatus(*status), false);
                assert_eq!(meaning.verdict, verdict, "{status:#x}");
                assert_eq!(meaning.code.code(), code, "{status:#x}");
            }
        }
    }

    #[test]
    fn a_status_that_blames_us_names_whose_fault_it_is() {
        let table = StatusTable::default();
        for (statuses, fault) in [
            (&[0x01, 0x02, 0x03][..], Some(Fault::Bug)),
            (&[0x06, 0x07, 0x43], Some(Fault::Configuration)),
            (&[0x15, 0x48, 0x49, 0x50, 0x51], Some(Fault::Configuration)),
            (&[0x100, 0x101, 0x102, 0x103], Some(Fault::Configuration)),
            (&[0x04, 0x08, 0x0A, 0x0B, 0x40, 0x58, 0x66, 0x67], None),
            (&[0x112, 0x400, 0x500], None),
        ] {
            for status in statuses {
                let meaning = table.meaning(CommandStatus(*status), false);
                assert_eq!(meaning.fault, fault, "{status:#x}");
            }
        }
        // An operator who gives a status another meaning knows of it.
        for (class, fault) in [
            (StatusClass::Fail, None),
            (StatusClass::Config, Some(Fault::Configuration)),
        ] {
            let over = StatusOverride { class, code: None };
            let table = StatusTable::new([(0x06, over.meaning().unwrap())]);
            assert_eq!(table.meaning(CommandStatus(0x06), false).fault, fault);
        }
    }

    #[test]
    fn a_refused_alpha_sender_has_a_code_of_its_own() {
        let meaning = StatusTable::default().meaning(CommandStatus(0x0A), true);
        assert_eq!(meaning.code.code(), 30042);
    }

    #[test]
    fn an_override_wins() {
        let over = StatusOverride {
            class: StatusClass::Throttle,
            code: Some(30017),
        };
        let table = StatusTable::new([(0x45, over.meaning().unwrap())]);
        assert_eq!(table.meaning(CommandStatus(0x45), false).verdict, THROTTLE);
        assert_eq!(
            StatusOverride {
                class: StatusClass::Fail,
                code: Some(7)
            }
            .meaning(),
            Err(7)
        );
    }

    #[test]
    fn the_description_has_number_and_name() {
        assert_eq!(&*describe(CommandStatus(0x0B)), "0x0000000B RINVDSTADR");
        assert_eq!(&*describe(CommandStatus(0x9999)), "0x00009999");
    }
}
