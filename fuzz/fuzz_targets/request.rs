//! Any octets as path, query and form of a request with good credentials: an answer, never a panic,
//! and never our fault.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use postrider_engine::testing;
use postrider_server::{App, Ops, Peer, Scheme, Setup, TrustedProxies};
use tokio::runtime::Runtime;

struct World {
    runtime: Runtime,
    app: App,
    account: String,
    authorization: String,
    /// Kept alive for the engine's tasks.
    _test: testing::TestEngine,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (test, account, token) = runtime.block_on(async {
        let test = testing::engine();
        let created = test.engine.create_main_account(None, None, "fuzz").await;
        let (account, token) = created.expect("a new store takes an account");
        (test, account.sid.to_string(), token)
    });
    let app = App::new(Setup {
        engine: test.engine.clone(),
        ops: Ops::default(),
        simulator: None,
        trusted_proxies: TrustedProxies::default(),
        door: None,
        request_id_seed: 7,
    });
    let credentials = STANDARD.encode(format!("{account}:{token}"));
    World {
        runtime,
        app,
        account,
        authorization: format!("Basic {credentials}"),
        _test: test,
    }
});

fuzz_target!(|input: (bool, &str, &[u8])| {
    let (is_post, rest, body) = input;
    let world = &*WORLD;
    let method = if is_post { Method::POST } else { Method::GET };
    let uri = format!("/2010-04-01/Accounts/{}/{rest}", world.account);
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", &world.authorization)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::copy_from_slice(body)));
    let Ok(request) = request else { return };
    let peer = Peer {
        address: None,
        scheme: Scheme::Http,
    };
    let answer = world.runtime.block_on(world.app.handle(request, peer));
    assert_ne!(answer.status(), 500);
});
