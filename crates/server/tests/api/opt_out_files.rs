//! `/x/v1/OptOuts/Import` and `/Export`: the list as a file.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::opt_outs::{HANDSET, NUMBER, PATH, send};
use crate::world::{Answer, World, assert_shape, column, list_of_v1};

const HEADER: &str = "contact_id,sender_id,status,source,date_of_consent\n";

async fn upload(world: &World, file: impl Into<Bytes>) -> Answer {
    let request = world
        .request(Method::POST, &format!("{PATH}/Import"))
        .header("content-type", "text/csv; charset=utf-8");
    world
        .send(request.body(Full::new(file.into())).unwrap())
        .await
}

/// Reads a file in and waits for the end.
async fn import(world: &World, file: impl Into<Bytes>) -> Value {
    let import = upload(world, file).await.taken();
    let path = import["url"].as_str().unwrap();
    for _ in 0..10_000 {
        let now = world.get(path).await.ok();
        if now["status"] != "running" {
            assert_eq!(now["status"], "completed");
            return now;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{path} did not end");
}

fn counts(import: &Value) -> [u64; 3] {
    ["rows_read", "rows_changed", "rows_rejected"].map(|key| import[key].as_u64().unwrap())
}

async fn export(world: &World, query: &str) -> String {
    let answer = world.get(&format!("{PATH}/Export{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    answer.text
}

#[tokio::test]
async fn a_file_is_read_in_and_told_of_line_by_line() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    let file = format!(
        "{HEADER}\
         {HANDSET},{service},opt-out,offline,2026-11-24\n\
         12,{service},opt-out,,\n\
         +14155550198,{service},opt-in,,\n\
         +14155550197,+14155550177,opt-out,,\n\
         +14155550196,{service},out,,\n\
         {HANDSET},{service},opt-out,,\n"
    );
    let done = import(&world, file.clone()).await;
    assert_eq!(counts(&done), [6, 2, 3]);
    let shape = [
        "sid",
        "account_sid",
        "status",
        "rows_read",
        "rows_changed",
        "rows_rejected",
        "errors",
        "date_created",
        "date_completed",
        "url",
    ];
    assert_shape(&done, &shape);
    let errors = done["errors"].as_array().unwrap();
    let lines: Vec<_> = errors.iter().map(|error| &error["line"]).collect();
    assert_eq!(lines, [3, 5, 6]);
    for (error, field) in errors.iter().zip(["contact_id", "sender_id", "status"]) {
        assert!(
            error["message"].as_str().unwrap().starts_with(field),
            "{error}"
        );
    }
    assert_eq!(send(&world, NUMBER).await, 21610);
    // Once more changes nothing twice.
    assert_eq!(counts(&import(&world, file).await), [6, 0, 3]);
    let imports = world.get(&format!("{PATH}/Imports")).await.ok();
    assert_eq!(list_of_v1(&imports, "imports").len(), 2);
    let history = world
        .get(&format!("{PATH}/History?ContactId=%2B14155550199"))
        .await;
    let history = history.ok();
    let events = list_of_v1(&history, "events");
    assert_eq!(column(events, "source"), ["offline"]);
    assert_eq!(events[0]["actor"], world.sid);
}

#[tokio::test]
async fn thousands_of_rows_come_out_as_they_went_in() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    let mut lines: Vec<String> = (0..2_500)
        .map(|index| {
            let status = if index % 3 == 0 { "opt-in" } else { "opt-out" };
            let number = 14_155_500_000_u64 + index;
            format!("+{number},{service},{status},website,2026-11-24T09:05:00Z\n")
        })
        .collect();
    lines.push("+14155550199,+14155550101,opt-out,others,2026-11-24T09:05:00Z\n".to_owned());
    let file = format!("{HEADER}{}", lines.concat());
    assert_eq!(counts(&import(&world, file).await), [2_501, 2_501, 0]);
    // Newest first.
    lines.reverse();
    let exported = export(&world, "").await;
    assert_eq!(exported, format!("{HEADER}{}", lines.concat()));
    assert_eq!(counts(&import(&world, exported).await), [2_501, 0, 0]);
    let mut own = HEADER.to_owned();
    let _ = write!(own, "{}", lines[0]);
    assert_eq!(export(&world, "?SenderId=%2B14155550101").await, own);
    assert_eq!(export(&world, "?ContactId=%2B14155550177").await, HEADER);
    assert_eq!(export(&world, "?SenderId=%2B14155550177").await, HEADER);
}

#[tokio::test]
async fn only_the_first_errors_are_told_and_all_are_counted() {
    let world = World::new().await;
    let file = format!("{HEADER}{}", "a,b,c,d,e\n".repeat(1_500));
    let done = import(&world, file).await;
    assert_eq!(counts(&done), [1_500, 0, 1_500]);
    assert_eq!(done["errors"].as_array().unwrap().len(), 100);
    assert_eq!(done["errors"][99]["line"], 101);
}

#[tokio::test]
async fn a_file_that_is_none_is_refused() {
    let mut world = World::new().await;
    for bad in ["", "\"", "a,b,c\n", "contact_id,sender_id\n"] {
        upload(&world, bad).await.refused(400, 20001);
    }
    let large = vec![b'a'; (96 << 20) + 1];
    upload(&world, large).await.refused(413, 20413);
    let form = world.post(&format!("{PATH}/Import"), &[("a", "b")]).await;
    form.refused(415, 20001);
    world
        .get(&format!("{PATH}/Import"))
        .await
        .refused(405, 20004);
    let other = format!("{PATH}/Imports/XI0123456789abcdef0123456789abcdef");
    world.get(&other).await.refused(404, 20404);
    world
        .get(&format!("{PATH}/Export?Status=out"))
        .await
        .refused(400, 20001);

    let import = import(&world, HEADER).await;
    assert_eq!(counts(&import), [0, 0, 0]);
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    let path = import["url"].as_str().unwrap();
    world.get(path).await.refused(404, 20404);
}

#[tokio::test]
async fn a_file_with_a_key_is_read_in_once() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    let file = format!("{HEADER}{HANDSET},{service},opt-out,,\n");
    let ask = || async {
        let request = world
            .request(Method::POST, &format!("{PATH}/Import"))
            .header("content-type", "text/csv")
            .header("idempotency-key", "once");
        let body = Full::from(file.clone());
        world.send(request.body(body).unwrap()).await.taken()
    };
    let first = ask().await;
    assert_eq!(ask().await["sid"], first["sid"]);
    let imports = world.get(&format!("{PATH}/Imports")).await.ok();
    assert_eq!(list_of_v1(&imports, "imports").len(), 1);
    assert_eq!(json!("XI"), first["sid"].as_str().unwrap()[..2]);
}
