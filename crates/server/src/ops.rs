//! What operators and their machines ask: is the process up, is it ready, how is it doing.
//!
//! No authentication: these say nothing about customers, and probes have no credentials. Keep the
//! port away from the public, or these three paths.

use http::Method;

use crate::App;
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

/// What the binary knows and the HTTP layer doesn't.
pub struct Ops {
    /// Ready to take messages, or why not.
    pub ready: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Appends metrics, measured just before, in the OpenMetrics text format, without its end mark.
    pub metrics: Box<dyn Fn(&mut String) + Send + Sync>,
}

impl Default for Ops {
    fn default() -> Self {
        Self {
            ready: Box::new(|| Ok(())),
            metrics: Box::new(|_| {}),
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers if the path is one of the three.
pub(crate) fn answer(app: &App, method: &Method, path: &str) -> Option<Answer> {
    let reply: fn(&App) -> Reply = match path {
        "/healthz" => |_| Reply::text(200, PLAIN, "ok\n"),
        "/readyz" => readyz,
        "/metrics" => metrics,
        _ => return None,
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(Err(Refusal::method_not_allowed("GET")));
    }
    Some(Ok(reply(app)))
}

fn readyz(app: &App) -> Reply {
    match (app.ops.ready)() {
        Ok(()) => Reply::text(200, PLAIN, "ready\n"),
        Err(reason) => Reply::text(503, PLAIN, format!("not ready: {reason}\n")),
    }
}

fn metrics(app: &App) -> Reply {
    let mut text = String::new();
    app.engine.measure();
    (app.ops.metrics)(&mut text);
    app.traffic.write(&mut text);
    text.push_str("# EOF\n");
    Reply::text(200, OPEN_METRICS, text)
}
