//! Settings that an older version wrote.

use postrider_core::settings::{Document, HttpMethod, VoiceSettings};
use rusqlite::Connection;
use serde_json::json;

use super::Directory;
use crate::contract::Store;

/// What a store of the first versions holds.
#[test]
fn documents_without_newer_fields_are_read() {
    let account = json!({"Account": {
        "sid": "AC00000000000000000000000000000001",
        "no": 1,
        "parent": null,
        "friendly_name": "Main",
        "status": "active",
        "auth_token_hash": "",
        "auth_token_sealed": "",
        "created_ms": 0,
        "updated_ms": 0,
    }});
    let number = json!({"Number": {
        "sid": "PN00000000000000000000000000000001",
        "account": "AC00000000000000000000000000000001",
        "sender": 1,
        "number": "+14155550101",
        "friendly_name": "Desk",
        "capabilities": {"sms": true, "mms": false, "voice": false},
        "webhooks": {"sms_url": null, "sms_method": "POST"},
        "created_ms": 0,
        "updated_ms": 0,
    }});
    let short_code = json!({"ShortCode": {
        "sid": "SC00000000000000000000000000000001",
        "account": "AC00000000000000000000000000000001",
        "sender": 2,
        "code": "55501",
        "country": "US",
        "friendly_name": "Alerts",
        "capabilities": {"sms": true, "mms": false, "voice": false},
        "webhooks": {},
        "created_ms": 0,
        "updated_ms": 0,
    }});
    let read = |json| serde_json::from_value::<Document>(json).unwrap();
    let Document::Account(account) = read(account) else {
        panic!("an account is read as one")
    };
    assert_eq!(account.secondary_token, None);
    let Document::Number(number) = read(number) else {
        panic!("a number is read as one")
    };
    assert_eq!(*number.voice, VoiceSettings::default());
    assert_eq!(number.webhooks.status_callback_method, HttpMethod::Post);
    let Document::ShortCode(mut short_code) = read(short_code) else {
        panic!("a short code is read as one")
    };
    assert_eq!(short_code.served_networks, []);
    short_code.served_networks = vec!["310".parse().unwrap(), "311-480".parse().unwrap()];
    let written = serde_json::to_value(Document::ShortCode(short_code.clone())).unwrap();
    assert_eq!(
        written["ShortCode"]["served_networks"],
        json!(["310", "311-480"])
    );
    assert_eq!(read(written), Document::ShortCode(short_code));
}

/// Before there was a table for them.
#[test]
fn answers_among_the_documents_are_dropped() {
    let directory = Directory::new();
    drop(directory.sqlite());
    let conn = Connection::open(directory.path().join("control.db")).unwrap();
    conn.execute_batch(
        r#"DROP TABLE answers;
        INSERT INTO documents VALUES ('answer', 'AC1/1', '{"Answer": {}}');
        PRAGMA user_version = 1;"#,
    )
    .unwrap();
    drop(conn);
    let store = directory.sqlite();
    assert_eq!(store.documents().unwrap(), []);
    assert_eq!(store.answers().counts().unwrap(), []);
}
