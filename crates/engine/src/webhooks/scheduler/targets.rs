//! URLs taken apart, kept for the next job with the same one: most jobs share few URLs.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::webhooks::url::{InvalidCallbackUrl, Target};

/// URLs remembered. Customers may put an id into each URL, so it is bounded and forgotten whole.
const TARGETS_MAX: usize = 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Targets(FxHashMap<Arc<str>, Arc<Target>>);

impl Targets {
    pub(super) fn get(&mut self, url: &Arc<str>) -> Result<Arc<Target>, InvalidCallbackUrl> {
        if let Some(target) = self.0.get(url) {
            return Ok(target.clone());
        }
        let target = Arc::new(Target::parse(url)?);
        if self.0.len() >= TARGETS_MAX {
            self.0.clear();
        }
        self.0.insert(url.clone(), target.clone());
        Ok(target)
    }
}
