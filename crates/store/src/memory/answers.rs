//! Answers to repeatable requests in the model store.

use std::collections::BTreeMap;

use postrider_core::clock::Millis;
use postrider_core::idempotency::KeyHash;
use postrider_core::message::AccountNo;

use super::MemoryStore;
use crate::answers::{AnswerStore, GivenAnswer};
use crate::contract::Result;

impl AnswerStore for MemoryStore {
    fn find(
        &self,
        account: AccountNo,
        key: KeyHash,
        since_ms: Millis,
    ) -> Result<Option<GivenAnswer>> {
        let records = self.records()?;
        let answers = records.answers.iter().filter(|answer| {
            answer.account == account && answer.request.key == key && answer.at_ms >= since_ms
        });
        Ok(answers.max_by_key(|answer| answer.at_ms).cloned())
    }

    fn counts(&self) -> Result<Vec<(AccountNo, u64)>> {
        let mut counts: BTreeMap<AccountNo, u64> = BTreeMap::new();
        for answer in &self.records()?.answers {
            *counts.entry(answer.account).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn forget(&self, before_ms: Millis, limit: usize) -> Result<Vec<AccountNo>> {
        let answers = &mut self.records()?.answers;
        answers.sort_by_key(|answer| answer.at_ms);
        let old = answers.partition_point(|answer| answer.at_ms < before_ms);
        let gone = answers.drain(..old.min(limit));
        Ok(gone.map(|answer| answer.account).collect())
    }
}
