//! The settings of one `[[carriers]]` table with `kind = "smpp"`, and what they compile to.
//!
//! [`Config`] is the operator's words; unknown keys are errors. [`Config::compile`] checks them once
//! and gives [`Settings`], which sessions share. Every key is explained in `docs/carriers.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use postrider_core::error_code::ErrorCode;
use regex::Regex;
use serde::Deserialize;

use super::address::{AddressPlan, NumberType, Rewrites};
use super::command_status::{StatusOverride, StatusTable};
use super::encode::{EncodeError, maximum};
use super::pdu::BindMode;
use super::receipt::{ErrBase, ReceiptRules, after_0x};
use super::tlv;
use super::validity_period::ValidityForm;
use super::wire_text::{Gsm7Wire, LongMessages};
use crate::contract::{ReceiptSegments, UnknownOutcome};
use crate::correlation::{IdForm, IdForms};

/// An SMPP carrier as the operator writes it. Seconds unless a key says otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file with two values"
)]
pub struct Config {
    /// Name of the carrier in routes, logs and metrics. Required.
    pub name: String,
    /// SMSC to connect to. Required.
    pub host: String,
    /// Its port. Default 2775.
    pub port: u16,
    /// Further `host:port` of the same SMSC, tried in turn when a connection fails. Default none.
    pub alternates: Vec<String>,
    /// Local address to connect from. Default: the system chooses.
    pub source_address: Option<IpAddr>,
    /// TLS; absent means plain TCP.
    pub tls: Option<TlsConfig>,

    /// Login name, at most 15 octets. Required.
    pub system_id: String,
    /// Password, at most 8 octets. Default empty.
    pub password: Secret,
    /// File that holds the password instead; white space around it is ignored.
    pub password_file: Option<PathBuf>,
    /// System type, at most 12 octets. Default empty.
    pub system_type: String,
    /// Address range served by the bind, with its type and plan. Default empty, 0 and 0.
    pub address_range: String,
    pub address_range_ton: u8,
    pub address_range_npi: u8,
    /// Protocol version offered. Default "3.4".
    pub interface_version: InterfaceVersion,
    /// Kind of bind. Default "transceiver".
    pub bind: Bind,
    /// Binds of that kind, or transmitter and receiver pairs. Default 1.
    pub sessions: u32,
    /// Unanswered submits allowed on each bind. Default 10.
    pub window: u32,
    /// Deliveries of the SMSC that may wait for our answer on each bind. Default 1000.
    pub inbound_window: u32,
    /// Segments per second over all binds; 0 means no limit. Default 0.
    pub throughput: u32,
    /// Segments per second on each bind; 0 means no limit. Default 0.
    pub session_throughput: u32,

    /// Limit for connecting, TLS included. Default 10.
    pub connect_timeout_s: u32,
    /// Limit for the answer to a bind. Default 15.
    pub bind_timeout_s: u32,
    /// Silence from the SMSC after which we ask whether it is there. Default 30.
    pub enquire_link_s: u32,
    /// Limit for that answer; two misses drop the bind. Default 10.
    pub enquire_link_timeout_s: u32,
    /// Limit for the answer to a submit, from its writing; three misses in a row drop the bind.
    /// Default 30.
    pub response_timeout_s: u32,
    /// Limit for writing anything; then the peer has stopped reading and the bind is closed.
    /// Default 30.
    pub write_timeout_s: u32,

    /// Type and plan of long codes and toll-free numbers. Default 1 and 1.
    pub long_code_ton: u8,
    pub long_code_npi: u8,
    /// Type and plan of short codes. Default 3 and 0.
    pub short_code_ton: u8,
    pub short_code_npi: u8,
    /// Type and plan of alphanumeric senders. Default 5 and 0.
    pub alpha_ton: u8,
    pub alpha_npi: u8,
    /// Type and plan of recipients. Default 1 and 1.
    pub destination_ton: u8,
    pub destination_npi: u8,
    /// Numbers go out with their plus sign. Default false.
    pub keep_plus: bool,
    /// Rules applied in order to outbound senders and recipients as they would go out, and to
    /// inbound ones as they came. Default none.
    pub rewrite_source: Vec<Rewrite>,
    pub rewrite_destination: Vec<Rewrite>,
    pub rewrite_inbound_source: Vec<Rewrite>,
    pub rewrite_inbound_destination: Vec<Rewrite>,
    /// Country calling code, without plus sign, for inbound addresses of the national type.
    pub country_calling_code: Option<String>,
    /// Inbound alphanumeric senders are packed septets. Default false.
    pub packed_alpha_inbound: bool,

    /// How GSM-7 text goes out, and how data coding 0 comes in. Default "unpacked".
    pub gsm7_wire: Gsm7Wire,
    /// How long messages are split. Default "udh8".
    pub long_messages: LongMessages,
    /// Say on all segments but the last that more follow. Default false.
    pub more_messages_to_send: bool,
    /// Pass the remaining validity on: "none", "relative", "absolute". Default "none".
    pub validity_period: ValidityForm,
    /// `service_type` of submits, at most 5 octets. Default empty.
    pub service_type: String,
    /// `protocol_id` and `priority_flag` of submits. Default 0.
    pub protocol_id: u8,
    pub priority_flag: u8,
    /// TLVs added to every submit. Default none.
    pub tlvs: Vec<FixedTlv>,

    /// Which receipts to ask for: "all", "last_segment", "failures", "none". Default "all".
    pub request_receipts: RequestReceipts,
    /// Also ask for intermediate notifications. Default false.
    pub intermediate_receipts: bool,
    /// Form of ids in submit responses: "guess", "dec", "hex", "text". Default "guess".
    pub resp_id: IdForm,
    /// Form of ids in receipts, likewise. Default "guess".
    pub dlr_id: IdForm,
    /// Take a message that reads like a receipt for one. Default true.
    pub receipts_by_text: bool,
    /// ACCEPTD is this carrier's last word and means delivered. Default false.
    pub acceptd_is_final: bool,
    /// Error code of EXPIRED. Default 30003.
    pub expired_code: u32,
    /// Base of `err`: "dec" or "hex". Default "dec".
    pub err_base: ErrBase,
    /// Error codes for values of `err`, before the built-in ones. Keys are in `err_base`, or
    /// hexadecimal behind `0x`.
    pub err_map: BTreeMap<String, u32>,
    /// Which segments' receipts decide: "all", "any", "first", "last". Default "all".
    pub receipt_segments: ReceiptSegments,

    /// Inbound messages for an application port: "ignore" or "forward" as text. Default "ignore".
    pub port_addressed: PortAddressed,
    /// Treat RX_T_APPN (0x64) as a throttle answer. Default false.
    pub temporary_error_throttles: bool,
    /// Meanings of command statuses, before the built-in ones. Keys are hexadecimal: "0x045".
    pub status: BTreeMap<String, StatusOverride>,
    /// What to do with a submit that was never answered: "resend" or "fail". Default "resend".
    pub unknown_outcome: UnknownOutcome,
    /// Keep every receipt as it came, not only those that were not understood. Default false.
    pub keep_receipts: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: String::new(),
            port: 2775,
            alternates: Vec::new(),
            source_address: None,
            tls: None,
            system_id: String::new(),
            password: Secret::default(),
            password_file: None,
            system_type: String::new(),
            address_range: String::new(),
            address_range_ton: 0,
            address_range_npi: 0,
            interface_version: InterfaceVersion::default(),
            bind: Bind::default(),
            sessions: 1,
            window: 10,
            inbound_window: 1_000,
            throughput: 0,
            session_throughput: 0,
            connect_timeout_s: 10,
            bind_timeout_s: 15,
            enquire_link_s: 30,
            enquire_link_timeout_s: 10,
            response_timeout_s: 30,
            write_timeout_s: 30,
            long_code_ton: 1,
            long_code_npi: 1,
            short_code_ton: 3,
            short_code_npi: 0,
            alpha_ton: 5,
            alpha_npi: 0,
            destination_ton: 1,
            destination_npi: 1,
            keep_plus: false,
            rewrite_source: Vec::new(),
            rewrite_destination: Vec::new(),
            rewrite_inbound_source: Vec::new(),
            rewrite_inbound_destination: Vec::new(),
            country_calling_code: None,
            packed_alpha_inbound: false,
            gsm7_wire: Gsm7Wire::default(),
            long_messages: LongMessages::default(),
            more_messages_to_send: false,
            validity_period: ValidityForm::default(),
            service_type: String::new(),
            protocol_id: 0,
            priority_flag: 0,
            tlvs: Vec::new(),
            request_receipts: RequestReceipts::default(),
            intermediate_receipts: false,
            resp_id: IdForm::default(),
            dlr_id: IdForm::default(),
            receipts_by_text: true,
            acceptd_is_final: false,
            expired_code: ErrorCode::HandsetUnreachable.code(),
            err_base: ErrBase::default(),
            err_map: BTreeMap::new(),
            receipt_segments: ReceiptSegments::default(),
            port_addressed: PortAddressed::default(),
            temporary_error_throttles: false,
            status: BTreeMap::new(),
            unknown_outcome: UnknownOutcome::default(),
            keep_receipts: false,
        }
    }
}

/// A password that never shows in logs.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `[carriers.tls]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file of authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of our certificate chain and its key, when the SMSC wants one.
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Name to ask for and to expect instead of the host.
    pub server_name: Option<String>,
    /// SHA-256 of the SMSC's certificate (DER) in hex. When set, it alone decides.
    pub pinned_sha256: Option<String>,
    /// Check the certificate. Default true; false is reported loudly at each start.
    pub verify: bool,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            ca_file: None,
            certificate_file: None,
            key_file: None,
            server_name: None,
            pinned_sha256: None,
            verify: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
pub enum InterfaceVersion {
    #[default]
    #[serde(rename = "3.4")]
    V3_4,
    #[serde(rename = "5.0")]
    V5_0,
}

impl InterfaceVersion {
    pub fn octet(self) -> u8 {
        match self {
            Self::V3_4 => 0x34,
            Self::V5_0 => 0x50,
        }
    }
}

/// The binds that make up one session of the carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    #[default]
    Transceiver,
    Transmitter,
    Receiver,
    /// One of each; receipts may come back on any receiver.
    #[serde(rename = "transmitter+receiver")]
    Pair,
}

impl Bind {
    pub fn modes(self) -> &'static [BindMode] {
        match self {
            Self::Transceiver => &[BindMode::Transceiver],
            Self::Transmitter => &[BindMode::Transmitter],
            Self::Receiver => &[BindMode::Receiver],
            Self::Pair => &[BindMode::Transmitter, BindMode::Receiver],
        }
    }
}

/// One address rule: a regular expression and what stands for its first match (`$1` for a group).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    pub pattern: String,
    pub replace: String,
}

/// One TLV of every submit: `tag` and either `text` or `hex`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedTlv {
    pub tag: u16,
    pub text: Option<String>,
    pub hex: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestReceipts {
    #[default]
    All,
    /// For carriers that charge for receipts; the other segments then have none.
    LastSegment,
    Failures,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortAddressed {
    /// Answered, counted and logged; no text for anyone.
    #[default]
    Ignore,
    Forward,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{key} is required")]
    Missing { key: &'static str },
    #[error("{key} = {given}, expected {expected}")]
    OutOfRange {
        key: &'static str,
        given: u64,
        expected: &'static str,
    },
    #[error("{key}: {source}")]
    TooLong {
        key: &'static str,
        source: EncodeError,
    },
    #[error("{key}: \"{given}\" is not {expected}")]
    Malformed {
        key: &'static str,
        given: String,
        expected: &'static str,
    },
    #[error("{key}: {source}")]
    Pattern {
        key: &'static str,
        source: Box<regex::Error>,
    },
    #[error(
        "{unanswered} unanswered segments need {needed_s} s to drain at {key} = {throughput}, more \
         than half of response_timeout_s = {response_timeout_s}: lower the window or raise {key}"
    )]
    WindowTooWide {
        key: &'static str,
        throughput: u32,
        unanswered: u64,
        needed_s: u64,
        response_timeout_s: u32,
    },
    #[error("{key}: cannot read {}: {source}", path.display())]
    File {
        key: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("tls: {0}")]
    Tls(String),
}

/// Checked settings, shared by the sessions of a carrier.
#[derive(Clone, Debug)]
pub struct Settings {
    pub system_id: Box<[u8]>,
    pub password: Secret,
    pub system_type: Box<[u8]>,
    pub address_range: Box<[u8]>,
    pub address_range_type: NumberType,
    pub interface_version: u8,
    pub window: u32,
    pub inbound_window: u32,
    pub session_throughput: u32,
    pub bind_timeout_ms: i64,
    pub enquire_link_ms: i64,
    pub enquire_link_timeout_ms: i64,
    pub response_timeout_ms: i64,
    pub addresses: AddressPlan,
    pub gsm7_wire: Gsm7Wire,
    pub long_messages: LongMessages,
    pub has_more_messages_flag: bool,
    pub validity_period: ValidityForm,
    pub service_type: Box<[u8]>,
    pub protocol_id: u8,
    pub priority_flag: u8,
    /// Fixed TLVs in wire form.
    pub tlvs: Box<[u8]>,
    pub request_receipts: RequestReceipts,
    pub has_intermediate_receipts: bool,
    pub receipts: ReceiptRules,
    pub port_addressed: PortAddressed,
    pub statuses: StatusTable,
}

impl Config {
    /// Checks everything that can be checked without a connection.
    pub fn compile(&self) -> Result<Settings, ConfigError> {
        self.check_required()?;
        self.check_ranges()?;
        Ok(Settings {
            system_id: text("system_id", &self.system_id, maximum::SYSTEM_ID)?,
            password: self.password()?,
            system_type: text("system_type", &self.system_type, maximum::SYSTEM_TYPE)?,
            address_range: text("address_range", &self.address_range, maximum::ADDRESS_RANGE)?,
            address_range_type: NumberType {
                ton: self.address_range_ton,
                npi: self.address_range_npi,
            },
            interface_version: self.interface_version.octet(),
            window: self.window,
            inbound_window: self.inbound_window,
            session_throughput: self.session_throughput,
            bind_timeout_ms: milliseconds(self.bind_timeout_s),
            enquire_link_ms: milliseconds(self.enquire_link_s),
            enquire_link_timeout_ms: milliseconds(self.enquire_link_timeout_s),
            response_timeout_ms: milliseconds(self.response_timeout_s),
            addresses: self.addresses()?,
            gsm7_wire: self.gsm7_wire,
            long_messages: self.long_messages,
            has_more_messages_flag: self.more_messages_to_send,
            validity_period: self.validity_period,
            service_type: text("service_type", &self.service_type, maximum::SERVICE_TYPE)?,
            protocol_id: self.protocol_id,
            priority_flag: self.priority_flag,
            tlvs: self.fixed_tlvs()?,
            request_receipts: self.request_receipts,
            has_intermediate_receipts: self.intermediate_receipts,
            receipts: self.receipts()?,
            port_addressed: self.port_addressed,
            statuses: self.statuses()?,
        })
    }

    fn check_required(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("name", &self.name),
            ("host", &self.host),
            ("system_id", &self.system_id),
        ] {
            if value.is_empty() {
                return Err(ConfigError::Missing { key });
            }
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        let ranges: [(
            &'static str,
            u32,
            std::ops::RangeInclusive<u32>,
            &'static str,
        ); 9] = [
            ("sessions", self.sessions, 1..=100, "1 to 100"),
            ("window", self.window, 1..=10_000, "1 to 10000"),
            (
                "inbound_window",
                self.inbound_window,
                1..=100_000,
                "1 to 100000",
            ),
            (
                "connect_timeout_s",
                self.connect_timeout_s,
                1..=3_600,
                "1 to 3600",
            ),
            (
                "bind_timeout_s",
                self.bind_timeout_s,
                1..=3_600,
                "1 to 3600",
            ),
            (
                "enquire_link_s",
                self.enquire_link_s,
                1..=86_400,
                "1 to 86400",
            ),
            (
                "enquire_link_timeout_s",
                self.enquire_link_timeout_s,
                1..=3_600,
                "1 to 3600",
            ),
            (
                "response_timeout_s",
                self.response_timeout_s,
                1..=3_600,
                "1 to 3600",
            ),
            (
                "write_timeout_s",
                self.write_timeout_s,
                1..=3_600,
                "1 to 3600",
            ),
        ];
        for (key, given, range, expected) in ranges {
            if !range.contains(&given) {
                return Err(ConfigError::OutOfRange {
                    key,
                    given: u64::from(given),
                    expected,
                });
            }
        }
        self.check_windows()
    }

    /// A carrier that limits by delaying its answers must drain all that is unanswered in half the
    /// response timeout, or the timer makes duplicates of a slow success.
    fn check_windows(&self) -> Result<(), ConfigError> {
        let window = u64::from(self.window);
        let all_windows = window * u64::from(self.sessions);
        for (key, throughput, unanswered) in [
            ("session_throughput", self.session_throughput, window),
            ("throughput", self.throughput, all_windows),
        ] {
            let drained = u64::from(self.response_timeout_s) * u64::from(throughput);
            if throughput > 0 && unanswered * 2 > drained {
                return Err(ConfigError::WindowTooWide {
                    key,
                    throughput,
                    unanswered,
                    needed_s: unanswered.div_ceil(u64::from(throughput)),
                    response_timeout_s: self.response_timeout_s,
                });
            }
        }
        Ok(())
    }

    fn password(&self) -> Result<Secret, ConfigError> {
        let password = match &self.password_file {
            None => self.password.0.clone(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::File {
                    key: "password_file",
                    path: path.clone(),
                    source,
                })?
                .trim()
                .to_owned(),
        };
        text("password", &password, maximum::PASSWORD)?;
        Ok(Secret(password))
    }

    fn addresses(&self) -> Result<AddressPlan, ConfigError> {
        let number_type = |ton, npi| NumberType { ton, npi };
        Ok(AddressPlan {
            long_code: number_type(self.long_code_ton, self.long_code_npi),
            short_code: number_type(self.short_code_ton, self.short_code_npi),
            alpha: number_type(self.alpha_ton, self.alpha_npi),
            destination: number_type(self.destination_ton, self.destination_npi),
            keeps_plus: self.keep_plus,
            rewrite_source: rewrites("rewrite_source", &self.rewrite_source)?,
            rewrite_destination: rewrites("rewrite_destination", &self.rewrite_destination)?,
            rewrite_inbound_source: rewrites(
                "rewrite_inbound_source",
                &self.rewrite_inbound_source,
            )?,
            rewrite_inbound_destination: rewrites(
                "rewrite_inbound_destination",
                &self.rewrite_inbound_destination,
            )?,
            country_calling_code: self.country_calling_code.as_deref().map(Box::from),
            has_packed_alpha: self.packed_alpha_inbound,
        })
    }

    fn fixed_tlvs(&self) -> Result<Box<[u8]>, ConfigError> {
        let mut block = Vec::new();
        for fixed in &self.tlvs {
            let value = match (&fixed.text, &fixed.hex) {
                (Some(text), None) => text.as_bytes().to_vec(),
                (None, Some(hex)) => octets_of_hex(hex).ok_or_else(|| ConfigError::Malformed {
                    key: "tlvs.hex",
                    given: hex.clone(),
                    expected: "an even number of hexadecimal digits",
                })?,
                _ => {
                    return Err(ConfigError::Malformed {
                        key: "tlvs",
                        given: format!("{:#06x}", fixed.tag),
                        expected: "a TLV with either text or hex",
                    });
                }
            };
            tlv::push(&mut block, fixed.tag, &value).map_err(|source| ConfigError::TooLong {
                key: "tlvs",
                source,
            })?;
        }
        Ok(block.into())
    }

    fn receipts(&self) -> Result<ReceiptRules, ConfigError> {
        let radix = match self.err_base {
            ErrBase::Decimal => 10,
            ErrBase::Hexadecimal => 16,
        };
        let mut err_overrides = BTreeMap::new();
        for (err, code) in &self.err_map {
            let (digits, radix) = after_0x(err).map_or((err.as_str(), radix), |rest| (rest, 16));
            let err = u32::from_str_radix(digits, radix).map_err(|_| ConfigError::Malformed {
                key: "err_map",
                given: err.clone(),
                expected: "a number in err_base",
            })?;
            err_overrides.insert(err, error_code("err_map", *code)?);
        }
        Ok(ReceiptRules {
            id_forms: IdForms {
                response: self.resp_id,
                receipt: self.dlr_id,
            },
            accepts_by_text: self.receipts_by_text,
            acceptd_is_final: self.acceptd_is_final,
            expired: error_code("expired_code", self.expired_code)?,
            err_base: self.err_base,
            err_overrides,
            gsm7_wire: self.gsm7_wire,
        })
    }

    fn statuses(&self) -> Result<StatusTable, ConfigError> {
        let mut overrides = BTreeMap::new();
        if self.temporary_error_throttles {
            let class = super::command_status::StatusClass::Throttle;
            let throttle = StatusOverride { class, code: None };
            overrides.insert(
                0x64,
                throttle
                    .meaning()
                    .map_err(|code| not_a_code("status", code))?,
            );
        }
        for (status, meaning) in &self.status {
            let digits = after_0x(status).unwrap_or(status);
            let number = u32::from_str_radix(digits, 16).map_err(|_| ConfigError::Malformed {
                key: "status",
                given: status.clone(),
                expected: "a hexadecimal command status",
            })?;
            let meaning = meaning
                .meaning()
                .map_err(|code| not_a_code("status", code))?;
            overrides.insert(number, meaning);
        }
        Ok(StatusTable::new(overrides))
    }
}

fn milliseconds(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000
}

fn text(key: &'static str, value: &str, maximum: usize) -> Result<Box<[u8]>, ConfigError> {
    let length = value.len();
    if length > maximum {
        let source = EncodeError::TooLong {
            field: key,
            length,
            maximum,
        };
        return Err(ConfigError::TooLong { key, source });
    }
    if value.contains('\0') {
        return Err(ConfigError::TooLong {
            key,
            source: EncodeError::HoldsNul { field: key },
        });
    }
    Ok(value.as_bytes().into())
}

fn rewrites(key: &'static str, rules: &[Rewrite]) -> Result<Rewrites, ConfigError> {
    let compiled = rules.iter().map(|rule| {
        let pattern = Regex::new(&rule.pattern).map_err(|source| ConfigError::Pattern {
            key,
            source: Box::new(source),
        })?;
        Ok((pattern, rule.replace.as_str().into()))
    });
    Ok(Rewrites::new(compiled.collect::<Result<_, _>>()?))
}

fn error_code(key: &'static str, code: u32) -> Result<ErrorCode, ConfigError> {
    ErrorCode::try_from(code).map_err(|_| not_a_code(key, code))
}

fn not_a_code(key: &'static str, code: u32) -> ConfigError {
    ConfigError::Malformed {
        key,
        given: code.to_string(),
        expected: "an error code",
    }
}

pub(crate) fn octets_of_hex(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests;
