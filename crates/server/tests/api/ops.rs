//! Probes and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, Request};
use http_body_util::Full;
use postrider_server::Ops;

use crate::world::{Answer, World};

async fn ask(world: &World, method: Method, path: &str) -> Answer {
    // Probes have no credentials and no host of a product.
    let request = Request::builder().method(method).uri(path);
    world.send(request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn ready_is_what_the_binary_says() {
    let is_ready = Arc::new(AtomicBool::new(true));
    let asked = is_ready.clone();
    let ops = Ops {
        ready: Box::new(move || {
            let is_ready = asked.load(Ordering::Relaxed);
            is_ready
                .then_some(())
                .ok_or_else(|| "no carrier".to_owned())
        }),
        ..Ops::default()
    };
    let world = World::with(ops, None).await;
    assert_eq!(ask(&world, Method::GET, "/readyz").await.status, 200);
    is_ready.store(false, Ordering::Relaxed);
    let answer = ask(&world, Method::GET, "/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("no carrier"), "{}", answer.text);
    // Still alive.
    assert_eq!(ask(&world, Method::HEAD, "/healthz").await.status, 200);
    assert_eq!(ask(&world, Method::POST, "/healthz").await.status, 405);
}

#[tokio::test]
async fn metrics_are_the_binarys_and_ours() {
    let ops = Ops {
        metrics: Box::new(|text| text.push_str("# TYPE queue gauge\nqueue 7\n")),
        ..Ops::default()
    };
    let world = World::with(ops, None).await;
    world.get("/v1/Services").await.ok();
    world.get("/v1/Nothing").await.refused(404, 20404);
    let text = ask(&world, Method::GET, "/metrics").await.text;
    for line in [
        "queue 7",
        "postrider_http_requests_total{class=\"2xx\"} 1",
        "postrider_http_requests_total{class=\"4xx\"} 1",
        "postrider_http_requests_in_flight 0",
    ] {
        assert!(
            text.lines().any(|written| written == line),
            "{line}\n{text}"
        );
    }
    assert!(text.ends_with("# EOF\n"));
}
