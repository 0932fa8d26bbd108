//! Fair turns: deficit round robin over accounts, and round robin over each account's senders.
//!
//! Turns are counted in segments, so that an account of long messages gets no more than one of
//! short ones.

use std::collections::VecDeque;

use postrider_core::message::{AccountNo, SenderNo};
use rustc_hash::{FxHashMap, FxHashSet};

/// Segments an account may submit per turn.
const QUANTUM: i64 = 16;

/// Senders that have something to submit, by account.
#[derive(Debug, Default)]
pub(super) struct Ring {
    accounts: VecDeque<AccountNo>,
    turns: FxHashMap<AccountNo, Turn>,
    members: FxHashSet<SenderNo>,
}

#[derive(Debug, Default)]
struct Turn {
    senders: VecDeque<SenderNo>,
    /// What is left of the turn; may go below zero by one long message, which the next turn pays.
    deficit: i64,
}

impl Ring {
    /// Enters a sender, unless it is in.
    pub(super) fn enter(&mut self, account: AccountNo, sender: SenderNo) {
        if !self.members.insert(sender) {
            return;
        }
        let turn = self.turns.entry(account).or_default();
        if turn.senders.is_empty() {
            self.accounts.push_back(account);
            turn.deficit = turn.deficit.min(0) + QUANTUM;
        }
        turn.senders.push_back(sender);
    }

    /// Whose turn it is.
    pub(super) fn front(&mut self) -> Option<(AccountNo, SenderNo)> {
        loop {
            let &account = self.accounts.front()?;
            let turn = self.turns.get_mut(&account)?;
            if turn.deficit > 0 {
                return turn.senders.front().map(|&sender| (account, sender));
            }
            turn.deficit += QUANTUM;
            self.accounts.rotate_left(1);
        }
    }

    /// The sender at the front submitted `segments` and stays in.
    pub(super) fn spend(&mut self, account: AccountNo, segments: u16) {
        if let Some(turn) = self.turns.get_mut(&account) {
            turn.deficit -= i64::from(segments);
            turn.senders.rotate_left(1);
        }
    }

    /// The sender at the front has nothing to submit now and leaves.
    pub(super) fn leave(&mut self, account: AccountNo) {
        let Some(turn) = self.turns.get_mut(&account) else {
            return;
        };
        if let Some(sender) = turn.senders.pop_front() {
            self.members.remove(&sender);
        }
        if turn.senders.is_empty() {
            self.accounts.retain(|&other| other != account);
            self.turns.remove(&account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_share_by_segments_whatever_their_senders_and_message_sizes() {
        let mut ring = Ring::default();
        // One account with five senders of single segments, one with one sender of ten-segment texts.
        for sender in 1..=5 {
            ring.enter(AccountNo(1), SenderNo(sender));
        }
        ring.enter(AccountNo(2), SenderNo(6));
        let mut spent = [0_i64; 3];
        for _ in 0..2_000 {
            let (account, sender) = ring.front().unwrap();
            let segments = if sender == SenderNo(6) { 10 } else { 1 };
            ring.spend(account, segments);
            spent[account.0 as usize] += i64::from(segments);
        }
        assert!((spent[1] - spent[2]).abs() <= 2 * QUANTUM, "{spent:?}");
    }

    #[test]
    fn a_sender_that_leaves_can_enter_again() {
        let mut ring = Ring::default();
        ring.enter(AccountNo(1), SenderNo(1));
        ring.enter(AccountNo(1), SenderNo(1));
        assert_eq!(ring.front(), Some((AccountNo(1), SenderNo(1))));
        ring.leave(AccountNo(1));
        assert_eq!(ring.front(), None);
        ring.enter(AccountNo(1), SenderNo(1));
        assert_eq!(ring.front(), Some((AccountNo(1), SenderNo(1))));
    }
}
