//! So many requests of one account at a time.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Method;
use hyper::body::{Body, Frame};
use postrider_server::{Peer, Scheme};

use crate::world::World;

/// A body that never comes, so that its request stays in flight.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

const PEER: Peer = Peer {
    address: None,
    scheme: Scheme::Http,
};

#[tokio::test]
async fn an_account_with_too_many_requests_in_flight_is_refused_and_no_other() {
    let mut world = World::limited(|limits| limits.concurrent_requests = 2).await;
    let accounts = "/2010-04-01/Accounts.json";
    let child = world.post(accounts, &[]).await.created();
    let slow = || {
        let request = world
            .request(Method::POST, "/v1/Services")
            .header("content-type", "application/x-www-form-urlencoded");
        let (app, request) = (world.app.clone(), request.body(Never).unwrap());
        let mut answer = Box::pin(async move { app.handle(request, PEER).await });
        let mut context = Context::from_waker(Waker::noop());
        assert!(answer.as_mut().poll(&mut context).is_pending());
        answer
    };
    let in_flight = [slow(), slow()];
    let answer = world.get("/v1/Services").await;
    assert_eq!(answer.headers["retry-after"], "1");
    answer.refused(429, 20429);
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("postrider_http_requests_over_limit_total 1\n"));

    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get("/v1/Services").await.ok();
    world.ask_as_main();
    // Clients that hang up give their places back.
    drop(in_flight);
    world.get("/v1/Services").await.ok();
}

#[tokio::test]
async fn zero_is_no_limit() {
    let world = World::limited(|limits| limits.concurrent_requests = 0).await;
    world.get("/v1/Services").await.ok();
}
