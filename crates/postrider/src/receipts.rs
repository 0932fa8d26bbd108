//! `postrider receipts`: receipts that were kept as they came, read again with the settings of now.
//!
//! Reads beside a running server. So a setting is changed in a copy of the configuration, and the
//! same octets show what it would have made of them.

use std::fmt::Write as _;

use anyhow::{Context, bail};
use postrider_carriers::smpp;
use postrider_carriers::smpp::config::Settings;
use postrider_carriers::smpp::replay::{Replay, replay};
use postrider_core::clock::Clock;
use postrider_core::error_code::ErrorCode;
use postrider_store::RawReceipt;
use postrider_store::sqlite::raw_receipts;
use serde::Serialize;

use crate::cli::Receipts;
use crate::clock::SystemClock;
use crate::config::{Carrier, Config};
use crate::{DONE, output, serve};

pub(crate) fn receipts(arguments: &Receipts, is_json: bool) -> anyhow::Result<u8> {
    let config = serve::read(&arguments.source)?;
    let directory = config.store.directory();
    let directory = directory.context("store.url names no directory")?;
    if !directory.join("parked.db").exists() {
        bail!("there is no Postrider data in {}", directory.display());
    }
    let since_ms = SystemClock::new().now_ms() - arguments.since.0;
    let mut kept = raw_receipts(&directory, since_ms, usize::MAX)?;
    if let Some(carrier) = &arguments.carrier {
        kept.retain(|raw| *raw.carrier == **carrier);
    }
    let first = kept.len().saturating_sub(arguments.limit);
    let shown = kept[first..].iter().map(|raw| Shown::of(raw, &config));
    if is_json {
        output::json(&shown.collect::<Vec<_>>())?;
    } else {
        shown.for_each(|receipt| output::line(receipt.text()));
    }
    Ok(DONE)
}

/// One receipt, as printed.
#[derive(Debug, Serialize)]
struct Shown {
    received: String,
    carrier: String,
    why: &'static str,
    pdu: String,
    /// What is in it, as the carrier wrote it.
    #[serde(flatten)]
    content: Option<Content>,
    /// What it means under the settings of now; nothing where it would be an inbound message.
    meaning: Option<Meaning>,
}

#[derive(Debug, Serialize)]
struct Content {
    source: String,
    destination: String,
    esm_class: String,
    data_coding: String,
    is_sound: bool,
    text: String,
    tlvs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Meaning {
    id: String,
    /// Ids under which the message is looked for.
    candidates: Vec<String>,
    state: String,
    error_code: Option<u32>,
    handset: Option<String>,
    is_understood: bool,
}

impl Shown {
    fn of(raw: &RawReceipt, config: &Config) -> Self {
        let replayed = replay(&raw.octets, &settings(config, &raw.carrier));
        Self {
            received: iso(raw.received_ms),
            carrier: raw.carrier.to_string(),
            why: raw.why.as_str(),
            pdu: hex(&raw.octets),
            content: replayed.as_ref().map(Content::of),
            meaning: replayed.as_ref().and_then(Meaning::of),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}  {}  {}\n", self.received, self.carrier, self.why);
        let mut line = |name: &str, value: &str| {
            // Escaped, because it comes from outside and goes to a terminal.
            let value = value.escape_debug();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {name:<12} {value}");
        };
        line("pdu", &self.pdu);
        if let Some(content) = &self.content {
            line("source", &content.source);
            line("destination", &content.destination);
            line("esm_class", &content.esm_class);
            line("data_coding", &content.data_coding);
            line("text", &content.text);
            content.tlvs.iter().for_each(|value| line("tlv", value));
        }
        match &self.meaning {
            Some(meaning) => {
                line("id", &meaning.id);
                line("looked for", &meaning.candidates.join(", "));
                let code = meaning.error_code.map(|code| format!(", {code}"));
                line(
                    "state",
                    &(meaning.state.clone() + &code.unwrap_or_default()),
                );
                line("handset", meaning.handset.as_deref().unwrap_or("none"));
            }
            None => line("meaning", "no receipt"),
        }
        text
    }
}

impl Content {
    fn of(replayed: &Replay) -> Self {
        let address = |(ton, npi, octets): &(u8, u8, String)| format!("{ton}/{npi} {octets}");
        let tlv = |(tag, value): &(u16, Box<[u8]>)| format!("0x{tag:04X} {}", hex(value));
        Self {
            source: address(&replayed.source),
            destination: address(&replayed.destination),
            esm_class: format!("0x{:02X}", replayed.esm_class),
            data_coding: format!("0x{:02X}", replayed.data_coding),
            is_sound: replayed.is_sound,
            text: replayed.text.clone(),
            tlvs: replayed.tlvs.iter().map(tlv).collect(),
        }
    }
}

impl Meaning {
    fn of(replayed: &Replay) -> Option<Self> {
        let receipt = replayed.receipt.as_ref()?;
        Some(Self {
            id: receipt.carrier_id.to_string(),
            candidates: receipt.candidates.iter().map(ToString::to_string).collect(),
            state: format!("{:?}", receipt.state).to_lowercase(),
            error_code: receipt.error.map(ErrorCode::code),
            handset: receipt.handset.map(|handset| handset.to_string()),
            is_understood: receipt.is_understood,
        })
    }
}

/// The carrier's settings as they are now, or every default where it has left the configuration.
fn settings(config: &Config, carrier: &str) -> Settings {
    let configured = config.carriers.iter().find_map(|known| match known {
        Carrier::Smpp(config) if config.name == carrier => config.compile().ok(),
        Carrier::Smpp(_) | Carrier::Simulator(_) => None,
    });
    configured.unwrap_or_else(|| {
        let plain = smpp::Config {
            name: carrier.to_owned(),
            host: "localhost".to_owned(),
            system_id: "none".to_owned(),
            ..smpp::Config::default()
        };
        plain.compile().expect("every default is usable")
    })
}

fn iso(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |at| format!("{at:.3}"))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use postrider_carriers::correlation::IdForm;
    use postrider_store::RawReason;

    use super::*;

    /// `deliver_sm` from 14155550199 with an id in decimal and an err that nobody knows.
    fn raw() -> RawReceipt {
        let body = b"id:0000000123 stat:UNDELIV err:099";
        let mut pdu = vec![0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7];
        pdu.extend(b"\0\x01\x0114155550199\0\x03\x0012345\0\x04\0\0\0\0\0\0\0\0");
        pdu.push(u8::try_from(body.len()).unwrap());
        pdu.extend(body);
        let length = u32::try_from(pdu.len()).unwrap();
        pdu[..4].copy_from_slice(&length.to_be_bytes());
        RawReceipt {
            received_ms: 1_767_225_600_000,
            carrier: "acme".into(),
            why: RawReason::NotUnderstood,
            octets: pdu.into(),
        }
    }

    #[test]
    fn a_receipt_is_read_again_with_the_settings_of_now() {
        let plain = smpp::Config {
            name: "acme".to_owned(),
            host: "smsc.example.net".to_owned(),
            system_id: "user".to_owned(),
            ..smpp::Config::default()
        };
        let told = smpp::Config {
            resp_id: IdForm::Hexadecimal,
            dlr_id: IdForm::Decimal,
            ..plain.clone()
        };
        let mapped = smpp::Config {
            err_map: [("99".to_owned(), 30003)].into(),
            ..plain.clone()
        };
        for (settings, candidates, code, is_understood) in [
            (plain, &["123", "7b", "291"][..], 30008, false),
            (told, &["7b"], 30008, false),
            (mapped, &["123", "7b", "291"], 30003, true),
        ] {
            let config = Config {
                carriers: vec![Carrier::Smpp(Box::new(settings))],
                ..Config::default()
            };
            let meaning = Shown::of(&raw(), &config).meaning.unwrap();
            assert_eq!(meaning.candidates, candidates);
            assert_eq!(meaning.error_code, Some(code));
            assert_eq!(meaning.is_understood, is_understood);
        }
    }

    #[test]
    fn what_is_printed_says_when_why_and_what() {
        let text = Shown::of(&raw(), &Config::default()).text();
        for part in [
            "2026-01-01T00:00:00.000Z  acme  not_understood",
            "source       1/1 14155550199",
            "state        undelivered, 30008",
            "handset      +14155550199",
            "pdu          000000",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let junk = RawReceipt {
            octets: [1, 2, 3].into(),
            ..raw()
        };
        let text = Shown::of(&junk, &Config::default()).text();
        assert!(text.contains("no receipt"), "{text}");
    }
}
