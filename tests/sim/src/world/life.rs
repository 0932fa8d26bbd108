//! The life of a process: it starts over what the disk holds, and ends with all that it had in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arc_swap::ArcSwap;
use postrider_core::clock::Clock as _;
use postrider_core::opt_out::Wording;
use postrider_engine::accept::Acceptor;
use postrider_engine::dispatch::{Dispatch, DispatchLimits, callback_job};
use postrider_engine::ids::IdGenerator;
use postrider_engine::loads::Loads;
use postrider_engine::secrets::Vault;
use postrider_engine::webhooks::{self, Scheduler};
use postrider_engine::{Alerts, Caps, Directory, Limits, Metrics, OptOuts, Sticky};
use postrider_store::Store as _;
use rand::RngCore as _;

use super::{Action, Process, World};

impl World {
    /// Everything in memory is gone; what was being written may or may not have been.
    pub(super) fn crash(&mut self) {
        if self.process.is_some() {
            self.report.crashes += 1;
            self.end_process();
        }
    }

    /// What was not written is gone, and a new process starts after a while.
    pub(super) fn end_process(&mut self) {
        let Some(process) = self.process.take() else {
            return;
        };
        process.store.crash();
        let now_ms = self.clock.now_ms();
        self.upheavals.push(now_ms);
        for carrier in &mut self.carriers {
            carrier.forget_client(now_ms);
        }
        self.plan.retain(|_, action| {
            !matches!(
                action,
                Action::Flush
                    | Action::Answer(_)
                    | Action::AttemptDone(..)
                    | Action::Scheduler
                    | Action::GraceOver
                    | Action::Insert(_)
            )
        });
        self.plan_in(100..5_000, Action::Restart);
    }

    pub(super) fn start_process(&mut self) {
        if self.process.is_some() {
            return;
        }
        let now_ms = self.clock.now_ms();
        self.starts.push(now_ms);
        self.upheavals.push(now_ms);
        let store = Arc::new(self.disk.open());
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let ids = Arc::new(IdGenerator::new(self.clock.clone(), seed));
        let last = store.last_id().expect("the store reads");
        if let Some(last) = last {
            ids.start_after(last);
        }
        let documents = store.documents().expect("the store reads");
        let directory = Arc::new(
            Directory::load(documents, Vault::new(&[9; 32])).expect("the instance key opens"),
        );
        let loads = Arc::new(Loads::default());
        let metrics = Arc::new(Metrics::default());
        let routes = self.routes();
        let paces = self.paces();
        // Small windows and pages, so that few messages reach every path.
        let limits = DispatchLimits {
            window: 6,
            page: 4,
            awaiting_receipt: 5,
            lookups: 3,
            commits: 2,
            batch: 8,
        };
        let mut dispatch = Dispatch::new(
            directory.clone(),
            loads.clone(),
            metrics.clone(),
            limits,
            paces.clone(),
            routes.clone(),
            self.policies(),
        );
        let waiting = store.queued_senders().expect("the store reads");
        dispatch.start(
            last,
            waiting,
            store.parked().expect("the store reads"),
            now_ms,
        );
        let opt_outs = OptOuts::open(store.clone(), Wording::default(), now_ms);
        let opt_outs = opt_outs.expect("the store reads");
        dispatch.obey(opt_outs.lately());
        let sticky = Sticky::open(store.clone(), &directory, now_ms).expect("the store reads");
        let alerts = Alerts::new(
            self.clock.clone(),
            ids.clone(),
            metrics.clone(),
            directory.clone(),
        );
        let acceptor = Acceptor {
            clock: self.clock.clone(),
            ids,
            directory,
            loads,
            metrics,
            limits: Limits {
                schedule_min_seconds: 5,
                ..Limits::default()
            },
            paces: ArcSwap::new(paces),
            routes: ArcSwap::new(routes),
            coverage: ArcSwap::default(),
            sticky,
            alerts: Arc::new(alerts),
            compliance: ArcSwap::default(),
            caps: Caps::default(),
            opt_outs,
        };
        self.process = Some(Process {
            store,
            acceptor,
            dispatch,
            scheduler: Scheduler::new(webhooks::Config::default().limits()),
            attempts: BTreeMap::new(),
            mailbox: VecDeque::new(),
            is_flushing: false,
            inputs: Vec::new(),
            is_stopping: false,
        });
        for index in 0..self.carriers.len() {
            let hello = self.carriers[index].hello();
            self.tell(index, vec![hello]);
        }
        self.offer_due_callbacks();
        self.plan(now_ms, Action::Scheduler);
    }

    fn offer_due_callbacks(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(process) = &mut self.process else {
            return;
        };
        let due = process
            .store
            .callbacks_due(None, usize::MAX)
            .expect("the store reads");
        for message in &due {
            for status in message.callbacks_due.iter() {
                let directory = &process.acceptor.directory;
                if let Some(job) = callback_job(directory, message, status, now_ms) {
                    process.scheduler.offer(job, now_ms);
                }
            }
        }
    }
}
