//! What the process says about itself: the log on stderr and the metrics.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Context;
use postrider_engine::Metrics;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use crate::cli::{Common, LogForm};

/// Starts the log. `default_level` holds where the operator names none.
pub(crate) fn start_log(common: &Common, default_level: &str) -> anyhow::Result<()> {
    let directives = common.log_level.as_deref().unwrap_or(default_level);
    let filter = EnvFilter::try_new(directives)
        .with_context(|| format!("--log-level or RUST_LOG: \"{directives}\" is no log level"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match common.log {
        LogForm::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogForm::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// A registry with the engine's metrics and the version of the process.
pub(crate) fn registry(metrics: &Metrics) -> Registry {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    registry.sub_registry_with_prefix("postrider").register(
        "build",
        "What is running",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
    registry
}

/// Appends all metrics to a scrape's answer, without the end mark.
pub(crate) fn writer(registry: Registry) -> impl Fn(&mut String) + Send + Sync {
    let registry = Arc::new(registry);
    move |text| {
        if let Err(error) = encode_registry(text, &registry) {
            tracing::error!(%error, "metrics can't be written");
        }
    }
}
