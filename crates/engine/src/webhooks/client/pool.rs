//! Idle connections, by endpoint.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::connection::Connection;

/// How long a connection may wait for its next request. Servers close idle ones after 5 s (Node) to
/// 75 s (nginx); one that was closed meanwhile is noticed when it is taken.
const IDLE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    per_endpoint_max: usize,
    total_max: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Longest idle first.
    idle: FxHashMap<Arc<str>, Vec<Idle>>,
    count: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(per_endpoint_max: usize, total_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            per_endpoint_max,
            total_max,
        }
    }

    /// The connection that was used last: the likeliest to be open still.
    pub(super) fn take(&self, authority: &str) -> Option<Connection> {
        let mut state = self.state.lock();
        let idle = state.idle.get_mut(authority)?.pop()?;
        state.count -= 1;
        drop(state);
        (idle.since.elapsed() < IDLE_MAX).then_some(idle.connection)
    }

    /// Keeps a connection, if there is room.
    pub(super) fn put(&self, authority: &Arc<str>, connection: Connection) {
        let mut state = self.state.lock();
        if state.count >= self.total_max {
            return;
        }
        let idle = Idle {
            connection,
            since: Instant::now(),
        };
        if let Some(connections) = state.idle.get_mut(authority) {
            if connections.len() >= self.per_endpoint_max {
                return;
            }
            connections.push(idle);
        } else {
            state.idle.insert(authority.clone(), vec![idle]);
        }
        state.count += 1;
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut closed = Vec::new();
        let mut state = self.state.lock();
        state.idle.retain(|_, connections| {
            let old = connections.partition_point(|idle| now - idle.since >= IDLE_MAX);
            closed.extend(connections.drain(..old));
            !connections.is_empty()
        });
        state.count -= closed.len();
    }
}
