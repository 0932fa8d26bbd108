//! Commits: changes gather while others are written, and nothing is acted on before it is durable.
//!
//! What is decided in one round goes into one commit, up to a limit. Only a few commits are on their
//! way at once; while a full one waits for its turn, nothing more is handed to carriers and none of
//! their events is taken. So a disk that stands still stops everything: what a crash would make us
//! send again, or ask the carriers for again, is bounded, and so is memory.

use std::collections::BTreeMap;

use postrider_carriers::{AckToken, CarrierNo};
use postrider_core::clock::Millis;
use postrider_core::sid::Id;
use postrider_store::{Applied, Change};

use super::carrier::HandOver;
use super::{Dispatch, Effect, Failure};
use crate::webhooks::Job;

/// What waits for a commit.
#[derive(Debug)]
pub(super) enum Deferred {
    Ack(CarrierNo, AckToken),
    /// If the change at this place of the commit was applied: a message that was deleted meanwhile
    /// calls nobody.
    CallBack(Box<Job>, usize),
    /// If the change at this place was applied.
    Alert(Box<Failure>, usize),
    /// The intent to submit is on record: now submit.
    Submit(HandOver),
    /// The message's change is durable.
    Saved(Id),
}

impl Dispatch {
    /// Records a change of a live message, to be acted on once durable.
    pub(super) fn save(&mut self, id: Id, change: Change) {
        self.changes.push(change);
        if let Some(live) = self.live.get_mut(id) {
            live.unsaved += 1;
            self.after.push(Deferred::Saved(id));
        }
    }

    /// Closes the commit that changes gather in when it is large enough. To be called between the
    /// steps of two messages: a step's changes are durable together.
    pub(super) fn close_full_commit(&mut self) {
        // Some steps change nothing and have something to be done after those before them.
        if self.changes.len().max(self.after.len() / 2) >= self.limits.batch {
            let after = std::mem::take(&mut self.after);
            self.full_commits
                .push_back((std::mem::take(&mut self.changes), after));
        }
    }

    /// A full commit waits for its turn: the disk is slower than what happens.
    pub(super) fn is_behind(&self) -> bool {
        !self.full_commits.is_empty()
    }

    /// Sends gathered changes off, unless enough are on their way.
    pub(super) fn flush(&mut self, effects: &mut Vec<Effect>) {
        if !self.ready_jobs.is_empty() {
            effects.push(Effect::CallBack(std::mem::take(&mut self.ready_jobs)));
        }
        if !self.failures.is_empty() {
            effects.push(Effect::Alert(std::mem::take(&mut self.failures)));
        }
        self.close_full_commit();
        while self.commits.len() < self.limits.commits {
            let (changes, after) = self.full_commits.pop_front().unwrap_or_else(|| {
                (
                    std::mem::take(&mut self.changes),
                    std::mem::take(&mut self.after),
                )
            });
            if changes.is_empty() && after.is_empty() {
                return;
            }
            let commit = self.next_commit;
            self.next_commit += 1;
            self.commits.insert(commit, after);
            effects.push(Effect::Commit { commit, changes });
        }
    }

    pub(super) fn committed(
        &mut self,
        commit: u64,
        applied: &[Applied],
        now_ms: Millis,
        effects: &mut Vec<Effect>,
    ) {
        let stale = applied
            .iter()
            .filter(|applied| **applied != Applied::Yes)
            .count();
        self.metrics.stale_changes.inc_by(stale as u64);
        let mut jobs = Vec::new();
        let mut failures = Vec::new();
        let mut acks: BTreeMap<CarrierNo, Vec<AckToken>> = BTreeMap::new();
        for deferred in self.commits.remove(&commit).unwrap_or_default() {
            match deferred {
                Deferred::Ack(carrier, token) => acks.entry(carrier).or_default().push(token),
                Deferred::CallBack(job, change) => {
                    if applied.get(change) == Some(&Applied::Yes) {
                        jobs.push(*job);
                    }
                }
                Deferred::Alert(failure, change) => {
                    if applied.get(change) == Some(&Applied::Yes) {
                        failures.push(*failure);
                    }
                }
                Deferred::Submit(hand_over) => {
                    self.submit_intended(hand_over, now_ms, effects);
                }
                Deferred::Saved(id) => self.saved(id),
            }
        }
        if !jobs.is_empty() {
            effects.push(Effect::CallBack(jobs));
        }
        if !failures.is_empty() {
            effects.push(Effect::Alert(failures));
        }
        for (carrier, tokens) in acks {
            effects.push(Effect::Acknowledge { carrier, tokens });
        }
    }

    /// A change of the message is durable; forget the message if that was the last of it.
    fn saved(&mut self, id: Id) {
        if let Some(live) = self.live.get_mut(id) {
            live.unsaved -= 1;
            if live.is_done() {
                self.forget(id);
            }
        }
    }
}
