//! The oracle: every promise of the engine, checked on what carriers, customer and store saw.

use std::collections::{BTreeMap, BTreeSet};

use postrider_carriers::{CarrierNo, UnknownOutcome};
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Message, Status};
use postrider_store::Store;

use crate::carrier::{Carrier, Fate, Offer, Taken};
use crate::customer::{Created, Customer};
use crate::world::SharedRates;

/// What happened in a run, for the curious and for comparing two runs of one seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub messages: usize,
    pub crashes: usize,
    pub stops: usize,
    pub statuses: BTreeMap<&'static str, usize>,
    pub duplicates: usize,
    /// Messages that ended as another one did, because nobody could tell their receipts apart.
    pub confused: usize,
    pub callbacks: usize,
    pub steps: u64,
}

/// What the oracle looks at.
pub(crate) struct Evidence<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) carriers: &'a [Carrier],
    pub(crate) customer: &'a Customer,
    pub(crate) policy: UnknownOutcome,
    /// Segments per second, by sender.
    pub(crate) rates: &'a BTreeMap<String, f64>,
    pub(crate) shared: SharedRates,
    /// When each process started, in order.
    pub(crate) starts: &'a [Millis],
    /// Ends and starts of processes, and reloads.
    pub(crate) upheavals: &'a [Millis],
    /// Which carriers messages to +1 and to +44 went to, since when.
    pub(crate) routes: &'a [(Millis, [CarrierNo; 2])],
}

/// Panics with the broken promise.
pub(crate) fn check(evidence: &Evidence<'_>, report: &mut Report) {
    let mut taken: BTreeMap<&str, Vec<&Taken>> = BTreeMap::new();
    for entry in evidence.carriers.iter().flat_map(|carrier| &carrier.taken) {
        taken.entry(&entry.body).or_default().push(entry);
    }
    let twins: BTreeSet<&str> = evidence.carriers.iter().flat_map(Carrier::twins).collect();
    report.messages = evidence.customer.created.len();
    let mut senders = BTreeMap::new();
    for (body, created) in &evidence.customer.created {
        let message = evidence
            .store
            .message(created.sid.id)
            .expect("the store reads")
            .unwrap_or_else(|| panic!("{} was answered with 201 and is gone", created.sid));
        *report.statuses.entry(message.status.as_str()).or_default() += 1;
        let taken = taken.get(body.as_str()).map_or(&[][..], Vec::as_slice);
        if twins.contains(&**body) && has_strange_fate(&message, taken) {
            report.confused += 1;
        } else {
            check_fate(&message, taken);
        }
        check_duplicates(&message, taken, evidence, report);
        check_callbacks(&message, created, evidence.customer, report);
        check_deadline(&message, taken, evidence.starts);
        check_expired(&message, body, created, evidence);
        check_stickiness(&message, created, &mut senders);
        assert_eq!(
            message.clone().kept(),
            message,
            "something is kept that was not to be"
        );
    }
    check_pace(evidence);
    check_shared_limits(evidence);
    assert!(evidence.store.parked().expect("the store reads").len() <= report.messages);
    assert_eq!(
        evidence
            .store
            .callbacks_due(None, 10)
            .expect("the store reads"),
        [],
        "callbacks are due"
    );
}

/// It was delivered by nobody, or remains sent although its carrier receipted it.
fn has_strange_fate(message: &Message, taken: &[&Taken]) -> bool {
    let has = |fate| taken.iter().any(|taken| taken.fate == fate);
    match message.status {
        Status::Delivered => !has(Fate::Delivered),
        Status::Sent => !taken.is_empty() && !has(Fate::Silent),
        _ => false,
    }
}

/// The message ended as the carrier said, and nowhere in between.
fn check_fate(message: &Message, taken: &[&Taken]) {
    let sid = message.sid;
    match message.status {
        Status::Delivered => {
            assert!(
                taken.iter().any(|taken| taken.fate == Fate::Delivered),
                "{sid} delivered by nobody"
            );
        }
        Status::Sent => {
            assert!(
                taken.iter().any(|taken| taken.fate == Fate::Silent),
                "{sid} is still sent although its carrier receipted it: {taken:?}"
            );
        }
        Status::Undelivered => {
            assert!(
                message.error.is_some(),
                "{sid} is undelivered without a reason"
            );
        }
        Status::Failed => {
            assert!(message.error.is_some(), "{sid} failed without a reason");
        }
        Status::Canceled => assert!(taken.is_empty(), "{sid} was canceled and sent"),
        status => panic!("{sid} is {status:?} for ever ({:?})", message.error),
    }
    if message.status == Status::Failed {
        // A resend may fail after an earlier try that nobody answered, and then says so.
        assert!(
            taken.is_empty() || message.is_possible_duplicate,
            "{sid} failed ({:?}) although a carrier took it: {taken:?}",
            message.error
        );
    }
}

/// A recipient knows the service by one sender, whatever crashed. Scheduled messages are left out:
/// their senders are chosen later than their ids say, and a crash right then forgets it; and those that
/// hide their recipient, for whom the same is so.
fn check_stickiness(
    message: &Message,
    created: &crate::customer::Created,
    senders: &mut BTreeMap<Box<str>, Box<str>>,
) {
    let is_hidden = message.options.obfuscate_address;
    if !created.through_service || created.was_scheduled || is_hidden || message.sender.is_none() {
        return;
    }
    let from = message
        .from
        .clone()
        .expect("a message with a sender names it");
    let known = senders
        .entry(message.to.clone())
        .or_insert_with(|| from.clone());
    assert_eq!(*known, from, "{} comes from a new sender", message.sid);
}

/// Nothing is taken twice without being marked, nor a third time within one life; with the policy
/// `fail`, nothing twice at all.
fn check_duplicates(
    message: &Message,
    taken: &[&Taken],
    evidence: &Evidence<'_>,
    report: &mut Report,
) {
    if taken.len() < 2 {
        return;
    }
    report.duplicates += taken.len() - 1;
    assert_eq!(
        evidence.policy,
        UnknownOutcome::Resend,
        "{} was taken twice under `fail`",
        message.sid
    );
    assert!(
        message.is_possible_duplicate,
        "{} was taken {} times and does not say so",
        message.sid,
        taken.len()
    );
    // A third time only if a process died before it could say that it had submitted it.
    let unsaid = evidence.starts.len() - 1;
    assert!(
        taken.len() <= 2 + unsaid,
        "{} was taken {} times in {} lives",
        message.sid,
        taken.len(),
        evidence.starts.len()
    );
}

/// Every status the message went through was called back at least once, none that it did not.
fn check_callbacks(message: &Message, created: &Created, customer: &Customer, report: &mut Report) {
    let heard = customer
        .heard
        .get(&message.sid.id)
        .cloned()
        .unwrap_or_default();
    report.callbacks += heard.len();
    let mut wanted = vec![message.status];
    if message.sent_ms.is_some() {
        wanted.push(Status::Sent);
    }
    if created.through_service && message.sender.is_some() {
        wanted.push(Status::Queued);
    }
    if created.was_scheduled && message.status != Status::Canceled {
        wanted.push(Status::Accepted);
    }
    for status in &wanted {
        assert!(
            heard.contains(status),
            "{} never called {status:?} back: {heard:?}",
            message.sid
        );
    }
    for status in &heard {
        assert!(
            wanted.contains(status),
            "{} called {status:?} back and is {:?}",
            message.sid,
            message.status
        );
    }
}

/// What waits on disk is asked for every second; after a start another one passes before it is looked
/// through, and reads fail now and then.
const EXPIRY_LATE_MS: Millis = 5_000;

/// Nothing is handed over after its deadline; what expired, expired near it.
fn check_deadline(message: &Message, taken: &[&Taken], starts: &[Millis]) {
    for taken in taken {
        assert!(
            taken.at_ms <= taken.deadline_ms,
            "{} was submitted after its deadline",
            message.sid
        );
    }
    if message.error == Some(ErrorCode::ValidityPeriodExpired) {
        assert!(
            message.updated_ms >= message.deadline_ms,
            "{} expired early",
            message.sid
        );
        // With a carrier it does not expire; its answer may come late.
        if message.attempts == 0 && taken.is_empty() {
            let start_ms = starts.iter().filter(|&&at| at <= message.updated_ms).max();
            let since_ms = message
                .deadline_ms
                .max(start_ms.copied().unwrap_or_default());
            let late_ms = message.updated_ms - since_ms;
            assert!(
                late_ms <= EXPIRY_LATE_MS,
                "{} expired {late_ms} ms late",
                message.sid
            );
        }
    }
}

/// A sender that does nothing for so long could have sent another message: its pace is one segment a
/// second at least, and reads of the store fail now and then.
const IDLE_MS: Millis = 10_000;

/// What expired waited for something: for its carrier, for others in its sender's queue, or for a
/// process. In particular no trouble lasts as long as the usual validity period.
fn check_expired(message: &Message, body: &str, created: &Created, evidence: &Evidence<'_>) {
    if message.error != Some(ErrorCode::ValidityPeriodExpired) {
        return;
    }
    let sid = message.sid;
    assert!(!created.is_patient, "{sid} expired though it had all day");
    let end_ms = message.deadline_ms;
    let times = end_ms - IDLE_MS..end_ms;
    let is_within = |at_ms: &Millis| times.contains(at_ms);
    let is_queued = created.queued_ms.is_some_and(|at_ms| at_ms < times.start);
    if !is_queued || evidence.upheavals.iter().any(is_within) {
        return;
    }
    let did_something = |offer: &Offer| {
        // Others may have had what it waited for.
        let is_from = evidence.shared.are_there() || Some(&*offer.from) == message.from.as_deref();
        offer.body == body || is_from && is_within(&offer.at_ms)
    };
    let mut offers = evidence.carriers.iter().flat_map(|it| &it.offered);
    let mut routes = evidence.routes.iter();
    let (_, carriers) = routes
        .rfind(|(since_ms, _)| *since_ms <= times.start)
        .expect("there are routes from the first");
    let carrier = carriers[usize::from(message.to.starts_with("+44"))];
    let carrier = &evidence.carriers[usize::from(carrier.0)];
    assert!(
        offers.any(did_something) || !carrier.had_room(&times),
        "{sid} expired though its sender was idle and its carrier had room"
    );
}

/// No sender is faster than its pace: in any window, at most rate x time plus one second's burst
/// and the largest message. Crashes reset the bucket, which is why they are counted.
fn check_pace(evidence: &Evidence<'_>) {
    for (sender, &rate) in evidence.rates {
        let mut times: Vec<(Millis, u16)> = evidence
            .carriers
            .iter()
            .flat_map(|carrier| &carrier.taken)
            .filter(|taken| taken.from == *sender)
            .map(|taken| (taken.at_ms, taken.segments))
            .collect();
        times.sort_unstable();
        for (start, &(from_ms, _)) in times.iter().enumerate() {
            let mut segments = 0.0;
            for &(at_ms, count) in times[start..]
                .iter()
                .take_while(|(at_ms, _)| at_ms - from_ms < 10_000)
            {
                segments += f64::from(count);
                #[expect(clippy::cast_precision_loss, reason = "ten seconds in milliseconds")]
                let allowed =
                    rate * ((at_ms - from_ms) as f64 / 1000.0) + 2.0 * rate.max(4.0) + 1.0;
                assert!(
                    segments <= allowed,
                    "{sender} sent {segments} segments in {} ms at {rate}/s",
                    at_ms - from_ms
                );
            }
        }
    }
}

/// An intent, or that a message may go out twice, is on record before the submit: that leaves as late as
/// the commit takes, up to two flushes and a while behind others.
const INTENT_LATE_S: f64 = 0.1;

/// No limit that senders share is exceeded in any window of one process's life: rate x time and one burst,
/// which is one second of the rate or the longest message.
fn check_shared_limits(evidence: &Evidence<'_>) {
    let SharedRates {
        campaign,
        account,
        first_carrier,
        routes: [british, others],
    } = evidence.shared;
    let offers = || evidence.carriers.iter().flat_map(|it| &it.offered);
    let is_british = |offer: &&Offer| offer.to.to_string().starts_with("+44");
    let limits: [(&str, f64, Vec<&Offer>); 5] = [
        ("campaign", campaign, offers().collect()),
        ("account", account, offers().collect()),
        (
            "carrier",
            first_carrier,
            evidence.carriers[0].offered.iter().collect(),
        ),
        (
            "route to +44",
            british,
            offers().filter(is_british).collect(),
        ),
        (
            "other route",
            others,
            offers().filter(|it| !is_british(it)).collect(),
        ),
    ];
    for (name, rate, mut offers) in limits {
        if rate <= 0.0 {
            continue;
        }
        offers.sort_by_key(|offer| offer.at_ms);
        for (index, from_ms) in evidence.starts.iter().enumerate() {
            let until_ms = evidence
                .starts
                .get(index + 1)
                .copied()
                .unwrap_or(Millis::MAX);
            let is_within = |offer: &&&Offer| (*from_ms..until_ms).contains(&offer.at_ms);
            let of_life: Vec<_> = offers.iter().filter(is_within).collect();
            check_windows(name, rate, &of_life);
        }
    }
}

fn check_windows(name: &str, rate: f64, offers: &[&&Offer]) {
    let longest = offers.iter().map(|offer| offer.segments).max().unwrap_or(0);
    let burst = rate.max(f64::from(longest)) + rate * INTENT_LATE_S + 1e-3;
    for (start, first) in offers.iter().enumerate() {
        let mut segments = 0.0;
        for offer in &offers[start..] {
            segments += f64::from(offer.segments);
            #[expect(clippy::cast_precision_loss, reason = "hours in milliseconds")]
            let window_s = (offer.at_ms - first.at_ms) as f64 / 1_000.0;
            assert!(
                segments <= rate * window_s + burst,
                "{segments} segments in {window_s} s by the {name} at {rate}/s"
            );
            if window_s > 60.0 {
                break;
            }
        }
    }
}
