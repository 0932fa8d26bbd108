//! What alerts show of messages that were redacted, deleted or erased: no more than that they were.
//!
//! A webhook's alert repeats what was posted, the text of a message from a handset with it. It is taken
//! out before the message's own record changes, and the writer is kept waiting meanwhile: what it
//! writes afterwards it compares with the record ([`check`]).

use postrider_core::fault::Fault;
use postrider_core::message::AccountNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::MessageSid;
use postrider_store::{Alert, AlertFilter, Cursor, Exchange, Result, Store};
use tokio::sync::RwLockReadGuard;

use crate::Engine;

/// Alerts read at once.
const PAGE: usize = 500;

/// What of a message is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Body,
    All,
}

impl Engine {
    /// Takes what is about to go out of the message's alerts. None are written until the answer is
    /// dropped: after the message's record was changed.
    pub(crate) async fn conceal_alerts(
        &self,
        account: AccountNo,
        message: MessageSid,
        gone: Gone,
    ) -> Result<RwLockReadGuard<'_, ()>, Fault> {
        let guard = self.alerting().concealing.read().await;
        let store = self.shared.store.clone();
        self.read(move || {
            let mut alerts = store.alerts().about(account, &message.to_string())?;
            alerts.retain_mut(|alert| conceal(alert, gone));
            rewrite(&*store, &alerts)
        })
        .await?;
        Ok(guard)
    }

    /// Takes everything out of an account's alerts that shows a number; returns of how many.
    pub(crate) async fn erase_from_alerts(
        &self,
        account: AccountNo,
        number: PhoneNumber,
    ) -> Result<u64, Fault> {
        // What was raised before is written now, or waits: a store that is full takes none.
        self.write_alerts().await;
        let digits = number.digits().to_string();
        let filter = AlertFilter {
            account,
            level: None,
            from_ms: None,
            before_ms: None,
        };
        let mut erased = 0;
        let mut cursor = Cursor::Start;
        loop {
            let (store, digits) = (self.shared.store.clone(), digits.clone());
            let step = self.read(move || {
                let mut page = store.alerts().list(&filter, cursor, PAGE)?;
                let next = page.last().map(|last| Cursor::After(last.id));
                page.retain_mut(|alert| erase(alert, &digits));
                rewrite(&*store, &page)?;
                Ok((page.len() as u64, next))
            });
            let (count, next) = step.await?;
            erased += count;
            let Some(next) = next else {
                return Ok(erased);
            };
            cursor = next;
        }
    }
}

fn rewrite(store: &dyn Store, alerts: &[Alert]) -> Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    store.alerts().rewrite(alerts)
}

/// Takes out of alerts that are about to be written what their messages do not have any more.
pub(super) fn check(store: &dyn Store, alerts: &mut [Alert]) -> Result<()> {
    for alert in alerts {
        let sid = alert.resource.as_deref().map(str::parse::<MessageSid>);
        let (Some(Ok(sid)), Some(_)) = (sid, &alert.exchange) else {
            continue;
        };
        match store.message(sid.id)? {
            None => conceal(alert, Gone::All),
            Some(message) if message.body.is_empty() => conceal(alert, Gone::Body),
            Some(_) => false,
        };
    }
    Ok(())
}

/// Whether there was anything to take out.
fn conceal(alert: &mut Alert, gone: Gone) -> bool {
    let Some(exchange) = &mut alert.exchange else {
        return false;
    };
    match gone {
        Gone::Body => forget_body(exchange),
        Gone::All => {
            let before = exchange.clone();
            exchange.request_variables = None;
            exchange.response_headers = None;
            exchange.response_body = None;
            *exchange != before
        }
    }
}

/// Empties `Body`, and forgets what was answered to it: that may repeat it.
fn forget_body(exchange: &mut Exchange) -> bool {
    let variables = exchange.request_variables.as_deref().unwrap_or_default();
    let is_body = |(name, value): &(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        name == "Body" && !value.is_empty()
    };
    if !form_urlencoded::parse(variables.as_bytes()).any(|pair| is_body(&pair)) {
        return false;
    }
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(variables.len()));
    for (name, value) in form_urlencoded::parse(variables.as_bytes()) {
        form.append_pair(&name, if name == "Body" { "" } else { &value });
    }
    exchange.request_variables = Some(form.finish().into());
    exchange.response_headers = None;
    exchange.response_body = None;
    true
}

/// Whether the alert showed these digits; it does not any more.
fn erase(alert: &mut Alert, digits: &str) -> bool {
    let has = |text: &Option<Box<str>>| text.as_deref().is_some_and(|text| text.contains(digits));
    let mut was_there = false;
    if alert.text.contains(digits) {
        alert.text = alert.code.message().into();
        was_there = true;
    }
    if let Some(exchange) = &alert.exchange
        && (exchange.url.contains(digits)
            || has(&exchange.request_headers)
            || has(&exchange.request_variables)
            || has(&exchange.response_headers)
            || has(&exchange.response_body))
    {
        alert.exchange = None;
        was_there = true;
    }
    was_there
}
