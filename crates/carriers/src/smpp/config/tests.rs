//! The operators' page is the reference, so it is loaded and searched here.

use super::*;

const PAGE: &str = include_str!("../../../../../docs/carriers.md");

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Table {
    Smpp(Config),
}

#[derive(Deserialize)]
struct File {
    carriers: Vec<Table>,
}

fn examples() -> Vec<Config> {
    PAGE.split("```toml\n")
        .skip(1)
        .flat_map(|rest| {
            let text = rest.split("```").next().unwrap();
            toml::from_str::<File>(text).unwrap().carriers
        })
        .map(|Table::Smpp(config)| config)
        .collect()
}

/// What an operator must give, and nothing else.
fn smallest() -> Config {
    Config {
        name: "acme".into(),
        host: "smsc".into(),
        system_id: "user".into(),
        ..Config::default()
    }
}

#[test]
fn the_examples_of_the_page_load_and_compile() {
    let [first, second] = &examples()[..] else {
        panic!("two examples")
    };
    let expected = Config {
        name: "acme".into(),
        host: "smsc.example.net".into(),
        system_id: "user".into(),
        password_file: Some("/run/secrets/acme".into()),
        ..Config::default()
    };
    assert_eq!(first, &expected);
    let settings = second.compile().unwrap();
    let meaning = settings
        .statuses
        .meaning(crate::smpp::pdu::CommandStatus(0x45), false);
    assert_eq!(meaning.code, ErrorCode::MessageFiltered);
    assert_eq!(
        settings.receipts.err_overrides.get(&69),
        Some(&ErrorCode::MessageFiltered)
    );
    assert_eq!(&*settings.tlvs, b"\x14\0\0\x0C110012345678");
}

#[test]
fn every_key_is_on_the_page() {
    let keys_of = |error: toml::de::Error| -> Vec<String> {
        let text = error.message().to_owned();
        text.split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let config = keys_of(toml::from_str::<Config>("nonsense = 1").unwrap_err());
    let tls = keys_of(toml::from_str::<TlsConfig>("nonsense = 1").unwrap_err());
    assert!(config.len() > 50 && tls.len() == 6, "{config:?} {tls:?}");
    for key in config.iter().chain(&tls) {
        let is_there = PAGE.contains(&format!("`{key}`")) || PAGE.contains(&format!("`{key} ="));
        let is_table = PAGE.contains(&format!("[carriers.{key}"));
        assert!(is_there || is_table, "{key} is not on the page");
    }
}

#[test]
fn a_key_of_err_map_is_in_its_base_or_says_that_it_is_hexadecimal() {
    for (err_base, key, expected) in [
        (ErrBase::Decimal, "69", Some(69)),
        (ErrBase::Decimal, "0x45", Some(69)),
        (ErrBase::Decimal, "4f", None),
        (ErrBase::Hexadecimal, "45", Some(69)),
        (ErrBase::Hexadecimal, "0X45", Some(69)),
        (ErrBase::Hexadecimal, "0x", None),
    ] {
        let config = Config {
            err_base,
            err_map: [(key.to_owned(), 30007)].into(),
            ..smallest()
        };
        let overrides = config
            .compile()
            .map(|settings| settings.receipts.err_overrides);
        let found = overrides.ok().map(|map| *map.keys().next().unwrap());
        assert_eq!(found, expected, "{err_base:?} {key}");
    }
}

/// A window is too wide when it takes more than half of the response timeout to drain, which is 15 s
/// here. The carrier's throughput is shared by its sessions, whatever the division leaves over.
#[test]
fn a_window_must_drain_in_half_the_response_timeout() {
    for (window, sessions, throughput, session_throughput, needed_s) in [
        (10, 1, 0, 0, None),
        (150, 1, 10, 0, None),
        (151, 1, 10, 0, Some(16)),
        (150, 1, 0, 10, None),
        (151, 1, 0, 10, Some(16)),
        (15, 10, 10, 0, None),
        (16, 10, 10, 0, Some(16)),
        (10, 20, 10, 0, Some(20)),
        (1, 100, 1, 0, Some(100)),
        (7, 2, 1, 0, None),
        (22, 2, 3, 0, None),
        (23, 2, 3, 0, Some(16)),
        (10_000, 100, u32::MAX, u32::MAX, None),
    ] {
        let config = Config {
            sessions,
            window,
            throughput,
            session_throughput,
            ..smallest()
        };
        let found = match config.compile() {
            Ok(_) => None,
            Err(ConfigError::WindowTooWide { needed_s, .. }) => Some(needed_s),
            Err(other) => panic!("{other}"),
        };
        let row = format!("{window} {sessions} {throughput} {session_throughput}");
        assert_eq!(found, needed_s, "{row}");
    }
}

#[test]
fn the_error_about_a_window_says_whose_throughput_it_was_measured_by() {
    let config = Config {
        sessions: 20,
        throughput: 10,
        ..smallest()
    };
    assert_eq!(
        config.compile().unwrap_err().to_string(),
        "200 unanswered segments need 20 s to drain at throughput = 10, more than half of \
         response_timeout_s = 30: lower the window or raise throughput"
    );
}

#[test]
fn a_misspelt_key_is_an_error() {
    let error = toml::from_str::<Config>("windw = 10").unwrap_err();
    assert!(error.message().contains("windw"));
}
