//! The table by itself, against the pages and against the code that names its rows.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

#[test]
fn codes_ascend_and_survive_the_round_trip() {
    assert!(ErrorCode::ALL.is_sorted_by(|a, b| a < b && a.code() < b.code()));
    for &error in ErrorCode::ALL {
        assert_eq!(ErrorCode::try_from(error.code()), Ok(error));
        assert_eq!(error.to_string(), error.code().to_string());
    }
    assert_eq!(ErrorCode::try_from(21_625), Err(UnknownErrorCode(21_625)));
}

#[test]
fn a_code_that_answers_a_request_has_an_error_status() {
    for &error in ErrorCode::ALL {
        assert!((400..600).contains(&error.http_status()), "{error}");
    }
    assert_eq!(ErrorCode::Unauthorized.http_status(), 401);
    assert_eq!(ErrorCode::SenderQueueFull.http_status(), 429);
    assert_eq!(ErrorCode::NotCancelable.http_status(), 409);
    assert_eq!(ErrorCode::ValidityPeriodExpired.synchronous_status(), None);
}

#[test]
fn titles_are_headings_and_messages_are_sentences() {
    for &error in ErrorCode::ALL {
        assert!(!error.title().ends_with('.'), "{error}: {}", error.title());
        assert!(
            error.message().ends_with('.'),
            "{error}: {}",
            error.message()
        );
        assert!(error.title().len() <= 60, "{error}: {}", error.title());
    }
}

#[test]
fn warnings_are_those_after_which_the_work_went_on() {
    assert_eq!(
        ErrorCode::PreregistrationWanted.alert_level(),
        AlertLevel::Warning
    );
    assert_eq!(
        ErrorCode::TwimlSchemaWarning.alert_level(),
        AlertLevel::Warning
    );
    assert_eq!(ErrorCode::WebhookFailed.alert_level(), AlertLevel::Error);
}

#[test]
fn every_page_belongs_to_a_code_and_every_promised_page_is_there() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
    let mut pages: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let promised: Vec<_> = ErrorCode::ALL
        .iter()
        .filter(|error| error.is_documented())
        .map(|error| format!("{error}.md"))
        .collect();
    assert_eq!(pages, promised);

    for error in ErrorCode::ALL.iter().filter(|error| error.is_documented()) {
        let page = std::fs::read_to_string(format!("{folder}/{error}.md")).unwrap();
        let heading = format!("# {error}: {}", error.title());
        assert_eq!(page.lines().next(), Some(heading.as_str()));
        if page.contains("answer to a request") {
            let status = format!("with HTTP {}", error.http_status());
            assert!(page.contains(&status), "{error}.md: {status}");
        }
        assert!(
            page.contains("\n## Check\n") && page.contains("\n## Settings\n"),
            "{error}.md"
        );
    }
}

/// A code that the source names can occur, and whoever meets it wants its page.
#[test]
fn every_code_that_the_source_names_has_a_page() {
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut named = BTreeSet::new();
    for package in std::fs::read_dir(crates).unwrap() {
        collect_names(&package.unwrap().path().join("src"), &mut named);
    }
    assert!(named.contains("NoSuitableSender"), "{named:?}");
    let undocumented = ErrorCode::ALL
        .iter()
        .filter(|error| named.contains(&format!("{error:?}")) && !error.is_documented());
    let undocumented: Vec<_> = undocumented.collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
}

/// The names behind `ErrorCode::` in the source files of a folder, tests apart.
fn collect_names(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            collect_names(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mentions = text.split("ErrorCode::").skip(1);
            names.extend(mentions.map(|rest| {
                let letters = rest.chars();
                letters.take_while(char::is_ascii_alphanumeric).collect()
            }));
        }
    }
}
