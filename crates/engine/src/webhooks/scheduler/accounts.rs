//! Accounts: what slots and room in the queue are shared between first, whatever their endpoints.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use postrider_core::sid::AccountSid;
use rustc_hash::FxHashMap;

use super::endpoints::{EndpointNo, Standing};

#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Endpoints that are remembered.
    pub(super) endpoints: usize,
    /// Jobs not yet tried.
    pub(super) waiting: usize,
    /// Attempts in flight, and those about to be repeated.
    pub(super) in_flight: usize,
    /// Endpoints to look at, by their turn.
    pub(super) ready: VecDeque<EndpointNo>,
    /// Endpoints that could send if others had less in flight, by their turn.
    pub(super) starved: VecDeque<EndpointNo>,
    pub(super) standing: Standing,
    /// A job was not kept for want of room for any endpoint of this account.
    pub(super) has_spilled: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Accounts(FxHashMap<AccountSid, Account>);

impl Accounts {
    pub(super) fn get(&self, sid: AccountSid) -> Option<&Account> {
        self.0.get(&sid)
    }

    pub(super) fn of(&mut self, sid: AccountSid) -> &mut Account {
        self.0.entry(sid).or_insert_with(|| Account {
            endpoints: 0,
            waiting: 0,
            in_flight: 0,
            ready: VecDeque::new(),
            starved: VecDeque::new(),
            standing: Standing::Idle,
            has_spilled: false,
        })
    }

    /// Forgets an account that has nothing to do.
    pub(super) fn forget_idle(&mut self, sid: AccountSid) {
        let account = &self[sid];
        let is_idle =
            account.endpoints == 0 && account.standing == Standing::Idle && !account.has_spilled;
        if is_idle {
            self.0.remove(&sid);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Index<AccountSid> for Accounts {
    type Output = Account;

    fn index(&self, sid: AccountSid) -> &Account {
        self.0
            .get(&sid)
            .expect("an account is named only while it is remembered")
    }
}

impl IndexMut<AccountSid> for Accounts {
    fn index_mut(&mut self, sid: AccountSid) -> &mut Account {
        self.0
            .get_mut(&sid)
            .expect("an account is named only while it is remembered")
    }
}
