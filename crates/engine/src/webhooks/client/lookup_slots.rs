//! Slots for lookups, shared between accounts.
//!
//! Each lookup blocks a thread for as long as the name's servers care to be silent. So an account may
//! have only as many under way as are still free: alone half of them, and of `n` accounts with dead
//! names each gets one in `n + 1`, and as many are left. Who finds no slot waits in the account's line.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::sid::AccountSid;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

#[derive(Debug)]
pub(super) struct LookupSlots(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    accounts: FxHashMap<AccountSid, Account>,
    /// Accounts with someone in line, by their turn.
    turns: VecDeque<AccountSid>,
}

#[derive(Debug, Default)]
struct Account {
    taken: usize,
    line: VecDeque<oneshot::Sender<Slot>>,
}

/// Gives itself back on drop.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<LookupSlots>,
    account: AccountSid,
}

impl LookupSlots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: count,
            accounts: FxHashMap::default(),
            turns: VecDeque::new(),
        })))
    }

    /// Waits for a slot. Whoever stops waiting leaves the line.
    pub(super) async fn take(self: &Arc<Self>, account: AccountSid) -> Slot {
        let (turn, told) = oneshot::channel();
        self.0.lock().join(account, turn);
        self.grant();
        told.await
            .expect("a line is forgotten only once it is empty")
    }

    /// Hands out what may be taken. Outside the lock: who has stopped waiting drops its slot at once.
    fn grant(self: &Arc<Self>) {
        let granted = self.0.lock().grant();
        for (account, turn) in granted {
            let slots = self.clone();
            drop(turn.send(Slot { slots, account }));
        }
    }
}

impl State {
    fn join(&mut self, sid: AccountSid, turn: oneshot::Sender<Slot>) {
        let account = self.accounts.entry(sid).or_default();
        account.line.retain(|turn| !turn.is_closed());
        account.line.push_back(turn);
        if !self.turns.contains(&sid) {
            self.turns.push_back(sid);
        }
    }

    fn grant(&mut self) -> Vec<(AccountSid, oneshot::Sender<Slot>)> {
        let mut granted = Vec::new();
        // Accounts passed by in a row: after all of them, nobody may take anything.
        let mut passed = 0;
        while passed < self.turns.len()
            && let Some(sid) = self.turns.pop_front()
        {
            let account = self.accounts.entry(sid).or_default();
            if account.taken >= self.free {
                self.turns.push_back(sid);
                passed += 1;
                continue;
            }
            let mut waiting = std::iter::from_fn(|| account.line.pop_front());
            if let Some(turn) = waiting.find(|turn| !turn.is_closed()) {
                account.taken += 1;
                self.free -= 1;
                granted.push((sid, turn));
            }
            if !account.line.is_empty() {
                self.turns.push_back(sid);
            } else if account.taken == 0 {
                self.accounts.remove(&sid);
            }
            passed = 0;
        }
        granted
    }

    fn give_back(&mut self, sid: AccountSid) {
        self.free += 1;
        if let Some(account) = self.accounts.get_mut(&sid) {
            account.taken -= 1;
            if account.taken == 0 && account.line.is_empty() {
                self.accounts.remove(&sid);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.lock().give_back(self.account);
        self.slots.grant();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postrider_core::sid::Id;
    use tokio::time::timeout;

    use super::*;

    fn account(no: u128) -> AccountSid {
        AccountSid(Id::from_u128(no))
    }

    /// As many slots as there are at once, up to 100.
    async fn take_all(slots: &Arc<LookupSlots>, no: u128) -> Vec<Slot> {
        let mut taken = Vec::new();
        while taken.len() < 100
            && let Ok(slot) = timeout(Duration::from_millis(5), slots.take(account(no))).await
        {
            taken.push(slot);
        }
        taken
    }

    #[tokio::test]
    async fn each_account_leaves_as_many_free_as_it_has() {
        let slots = LookupSlots::new(64);
        let first = take_all(&slots, 1).await;
        assert_eq!(first.len(), 32);
        let second = take_all(&slots, 2).await;
        assert_eq!(second.len(), 16);
        assert!(!take_all(&slots, 3).await.is_empty());
        drop((first, second));
        assert_eq!(take_all(&slots, 3).await.len(), 32);
        // Nobody is remembered who has nothing.
        assert!(slots.0.lock().accounts.keys().all(|&sid| sid == account(3)));
    }

    #[tokio::test]
    async fn a_line_moves_on_without_those_who_left() {
        let slots = LookupSlots::new(2);
        let first = slots.take(account(1)).await;
        let impatient = timeout(Duration::from_millis(5), slots.take(account(1))).await;
        assert!(impatient.is_err());
        let waiting = tokio::spawn({
            let slots = slots.clone();
            async move { slots.take(account(1)).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        let next = timeout(Duration::from_secs(5), waiting).await;
        drop(next.unwrap().unwrap());
        assert_eq!(slots.0.lock().free, 2);
    }
}
