//! Settings that an older version wrote.

use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::message::AccountNo;
use postrider_core::settings::{Account, AccountStatus, Document, HttpMethod, VoiceSettings};
use postrider_core::sid::{AccountSid, Id};
use rusqlite::Connection;
use serde_json::json;

use super::Directory;
use crate::answers::GivenAnswer;
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
fn answers_among_the_documents_are_carried_over() {
    let directory = Directory::new();
    drop(directory.sqlite());
    let conn = Connection::open(directory.path().join("control.db")).unwrap();
    let (main, child) = (account(1), account(2));
    for account in [&main, &child] {
        let document = Document::Account(account.clone());
        let (key, body) = (
            document.key().key,
            serde_json::to_string(&document).unwrap(),
        );
        let row = ("account", key, body);
        conn.execute("INSERT INTO documents VALUES (?, ?, ?)", row)
            .unwrap();
    }
    conn.execute_batch("DROP TABLE answers; PRAGMA user_version = 1")
        .unwrap();
    let answer = |account: &str, key: u8| {
        json!({"Answer": {
            "account": account,
            "key": format!("{:032x}", u128::from_be_bytes([key; 16])),
            "fingerprint": format!("{:032x}", u128::from_be_bytes([9; 16])),
            "status": 201,
            "body_sealed": "sealed",
            "at_ms": 5,
        }})
    };
    let (main_sid, child_sid) = (main.sid.to_string(), child.sid.to_string());
    for (key, body) in [
        ("a", answer(&main_sid, 0x0A)),
        ("b", answer(&child_sid, 0x0A)),
        ("c", answer(&child_sid, 0xFB)),
        // Nobody's, and nothing.
        ("d", answer("AC00000000000000000000000000000009", 1)),
        ("e", json!({"Answer": {"account": main_sid}})),
        ("f", json!({"Answer": {}})),
    ] {
        let row = ("answer", key, body.to_string());
        conn.execute("INSERT INTO documents VALUES (?, ?, ?)", row)
            .unwrap();
    }
    drop(conn);
    let store = directory.sqlite();
    let documents = [main.clone(), child.clone()].map(Document::Account);
    assert_eq!(store.documents().unwrap(), documents);
    assert_eq!(
        store.answers().counts().unwrap(),
        [(main.no, 1), (child.no, 2)]
    );
    for (account, key) in [(main.no, 0x0A), (child.no, 0x0A), (child.no, 0xFB)] {
        let expected = GivenAnswer {
            account,
            request: Repeatable {
                key: KeyHash([key; 16]),
                fingerprint: Fingerprint([9; 16]),
            },
            status: 201,
            body_sealed: "sealed".to_owned(),
            at_ms: 5,
        };
        let found = store.answers().find(account, KeyHash([key; 16]), 0);
        assert_eq!(found.unwrap(), Some(expected));
    }
}

fn account(no: u32) -> Account {
    Account {
        sid: AccountSid(Id::new(0, no, 0)),
        no: AccountNo(no),
        parent: None,
        friendly_name: "main".to_owned(),
        status: AccountStatus::Active,
        auth_token_hash: String::new(),
        auth_token_sealed: String::new(),
        secondary_token: None,
        retention_days: None,
        created_ms: 0,
        updated_ms: 0,
    }
}
