//! What the customer is told of webhooks that failed: once for each, after the last attempt.

use postrider_core::error_code::ErrorCode;
use postrider_core::settings::HttpMethod;
use postrider_store::Alert;

use super::server::{Server, Webhooks, config, job};
use crate::webhooks::Content;

/// Codes, and statuses of answers.
fn told(alerts: &[Alert]) -> Vec<(u32, Option<u16>)> {
    let told = alerts.iter().map(|alert| {
        let exchange = alert.exchange.as_ref().unwrap();
        (alert.code.code(), exchange.status)
    });
    told.collect()
}

#[tokio::test]
async fn a_job_that_failed_is_an_alert_after_its_last_attempt() {
    let server = Server::start().await;
    // Columns: path and fragment, alerts.
    #[rustfmt::skip]
    let rows = [
        ("/status/200",                     &[][..]),
        ("/status/503",                     &[(11217, Some(503))]),
        ("/status/404#rc=3&rp=4xx",         &[(11217, Some(404))]),
        ("/status/304",                     &[(11200, Some(304))]),
        ("/hang#rt=100",                    &[(11200, None)]),
        ("/status/200#rc=9",                &[(11243, None)]),
        ("/status/500#rc=2&rp=5xx,never",   &[(11243, None), (11217, Some(500))]),
    ];
    for (path, expected) in rows {
        let mut webhooks = Webhooks::start(&config());
        webhooks.finish(&[&server.url(path)]).await;
        assert_eq!(told(&webhooks.alerts.raised()), expected, "{path}");
    }
}

#[tokio::test]
async fn what_was_never_tried_is_an_alert_too() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let mut old = job(&server.url("/"), 1);
    old.due_ms = -86_400_000;
    webhooks
        .handle
        .offer(vec![old, job("ftp://example.com", 2)]);
    webhooks.finished(2).await;
    let alerts = webhooks.alerts.raised();
    let told = told(&alerts);
    assert_eq!(told, [(11200, None), (11321, None)]);
    assert_eq!(
        &*alerts[0].text,
        "The status callback failed: it waited for too long"
    );
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn an_alert_shows_the_last_request_without_its_password() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let address = server.address;
    let url = format!("http://me:secret@{address}/redirect/302?/status/500#ct=900");
    let mut job = job(&url, 5);
    if let Content::Params(params) = &mut job.content {
        let service = "MG00000000000000000000000000000009";
        params.push(("MessagingServiceSid", service.into()));
    }
    let resource = job.event.message().to_string();
    webhooks.handle.offer(vec![job]);
    webhooks.finished(1).await;
    let alert = webhooks.alerts.raised().remove(0);
    assert_eq!(alert.code, ErrorCode::WebhookErrorStatus);
    assert_eq!(alert.account.0, 1);
    assert_eq!(alert.resource.as_deref(), Some(&*resource));
    let service = alert.service.unwrap().to_string();
    assert_eq!(service, "MG00000000000000000000000000000009");
    assert_eq!(
        &*alert.text,
        "The status callback failed: the answer's status is 500"
    );
    let exchange = alert.exchange.unwrap();
    // The redirect made it a GET.
    assert_eq!(exchange.method, HttpMethod::Get);
    let shown = format!("http://{address}/redirect/302?/status/500");
    assert_eq!(*exchange.url, shown);
    let headers = exchange.request_headers.unwrap();
    assert!(headers.contains("user-agent: TwilioProxy/1.1"), "{headers}");
    assert!(!headers.contains("authorization"), "{headers}");
    let variables = exchange.request_variables.unwrap();
    assert!(
        variables.contains("From=ACME+%26+S%C3%B6hne"),
        "{variables}"
    );
}
