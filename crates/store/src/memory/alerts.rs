//! Alerts in the model store.

use std::collections::BTreeMap;

use postrider_core::clock::Millis;
use postrider_core::message::AccountNo;
use postrider_core::sid::Id;

use super::MemoryStore;
use crate::alerts::{Alert, AlertFilter, AlertRepeat, AlertStore};
use crate::contract::{Cursor, Result};

impl AlertStore for MemoryStore {
    fn write(&self, alerts: &[Alert], repeats: &[AlertRepeat]) -> Result<()> {
        let mut records = self.records()?;
        for alert in alerts {
            let place = records.alerts.entry(alert.id.key());
            place.or_insert_with(|| alert.clone());
        }
        for repeat in repeats {
            let known = records.alerts.get_mut(&repeat.id.key());
            if let Some(alert) = known.filter(|alert| alert.id == repeat.id) {
                alert.count = alert.count.saturating_add(repeat.count);
                alert.updated_ms = alert.updated_ms.max(repeat.last_ms);
            }
        }
        Ok(())
    }

    fn find(&self, id: Id) -> Result<Option<Alert>> {
        let records = self.records()?;
        let known = records.alerts.get(&id.key());
        Ok(known.filter(|alert| alert.id == id).cloned())
    }

    fn list(&self, filter: &AlertFilter, cursor: Cursor, limit: usize) -> Result<Vec<Alert>> {
        let records = self.records()?;
        let newest_first = records.alerts.values().rev();
        let mut page = newest_first.filter(|alert| {
            let happened_ms = alert.id.created_ms();
            alert.account == filter.account
                && filter.level.is_none_or(|level| alert.level == level)
                && filter.from_ms.is_none_or(|from| happened_ms >= from)
                && filter.before_ms.is_none_or(|before| happened_ms < before)
        });
        Ok(match cursor {
            Cursor::Start => page.take(limit).cloned().collect(),
            Cursor::After(id) => {
                let older = page.skip_while(|alert| alert.id.key() >= id.key());
                older.take(limit).cloned().collect()
            }
            Cursor::Before(id) => {
                let newer: Vec<_> = page
                    .by_ref()
                    .take_while(|alert| alert.id.key() > id.key())
                    .cloned()
                    .collect();
                newer[newer.len().saturating_sub(limit)..].to_vec()
            }
        })
    }

    fn recent(&self, since_ms: Millis, limit: usize) -> Result<Vec<Alert>> {
        let records = self.records()?;
        let since = records.alerts.range(Id::first_key_at(since_ms)..);
        let mut recent: Vec<_> = since.rev().take(limit).map(|(_, a)| a.clone()).collect();
        recent.reverse();
        Ok(recent)
    }

    fn about(&self, account: AccountNo, resource: &str) -> Result<Vec<Alert>> {
        let records = self.records()?;
        let alerts = records.alerts.values();
        let is_about = |alert: &&Alert| {
            alert.account == account && alert.resource.as_deref() == Some(resource)
        };
        Ok(alerts.filter(is_about).cloned().collect())
    }

    fn rewrite(&self, alerts: &[Alert]) -> Result<()> {
        let mut records = self.records()?;
        for alert in alerts {
            let known = records.alerts.get_mut(&alert.id.key());
            if let Some(known) = known.filter(|known| known.id == alert.id) {
                known.text.clone_from(&alert.text);
                known.exchange.clone_from(&alert.exchange);
            }
        }
        Ok(())
    }

    fn forget_of(&self, account: AccountNo, before_ms: Millis, limit: usize) -> Result<usize> {
        let mut records = self.records()?;
        let old = records.alerts.range(..Id::first_key_at(before_ms));
        let old = old.filter(|(_, alert)| alert.account == account);
        let gone: Vec<i64> = old.map(|(key, _)| *key).take(limit).collect();
        for key in &gone {
            records.alerts.remove(key);
        }
        Ok(gone.len())
    }

    fn forget(&self, before_ms: Millis, keep: usize, limit: usize) -> Result<usize> {
        let mut records = self.records()?;
        let mut kept: BTreeMap<AccountNo, usize> = BTreeMap::new();
        let mut gone: Vec<i64> = Vec::new();
        for (key, alert) in records.alerts.iter().rev() {
            let kept = kept.entry(alert.account).or_default();
            if *kept >= keep || *key < Id::first_key_at(before_ms) {
                gone.push(*key);
            } else {
                *kept += 1;
            }
        }
        // The oldest first.
        gone.reverse();
        gone.truncate(limit);
        for key in &gone {
            records.alerts.remove(key);
        }
        Ok(gone.len())
    }
}
