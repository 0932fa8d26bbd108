//! Host names to addresses, by the system's resolver.
//!
//! The system's resolver blocks a thread, for half a minute if the name's servers are dead. So each
//! name is asked for once at a time, few names at all, and an account's dead names leave slots for the
//! others. A name that was found lately is used as it was while it is slow to be found again; the
//! guard judges addresses at each use, wherever they come from.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::sid::AccountSid;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::lookup_slots::{LookupSlots, Slot};

/// Names asked for at a time: threads that may block.
const LOOKUPS_MAX: usize = 64;
/// How long an answer is good for: long enough for a burst of connections to share it.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(3);
/// How long an answer is used while no newer one is to be had. Most names have a TTL of some minutes.
const LAST_ANSWER_AGE_MAX: Duration = Duration::from_mins(5);
/// How long a newer answer is waited for: resolvers near by take milliseconds.
const REFRESH_PATIENCE: Duration = Duration::from_millis(250);
/// Answers remembered; beyond, all are forgotten, save what is being asked for.
const ANSWERS_MAX: usize = 4096;

/// The addresses of a host; none if it has none or can't be found.
pub(super) type Addresses = Arc<[IpAddr]>;

type Answering = Pin<Box<dyn Future<Output = Addresses> + Send>>;

#[derive(Clone, Debug)]
pub(super) struct Resolver {
    names: Arc<Mutex<FxHashMap<Arc<str>, Name>>>,
    slots: Arc<LookupSlots>,
    /// The system's resolver; tests have their own.
    system: fn(Arc<str>) -> Answering,
}

#[derive(Debug, Default)]
struct Name {
    /// The last time that it had addresses.
    found: Option<Found>,
    lookup: Option<Lookup>,
}

#[derive(Debug)]
struct Found {
    asked: Instant,
    addresses: Addresses,
}

#[derive(Debug)]
struct Lookup {
    progress: Arc<watch::Sender<Progress>>,
    /// In whose lines it waits: nobody's callbacks wait in another account's.
    lines: SmallVec<[AccountSid; 1]>,
}

#[derive(Debug)]
pub(super) enum Progress {
    InLine,
    Asked,
    Answered(Addresses),
}

/// How a question begins.
enum Begun {
    Known(Addresses),
    /// The last good answer, and the lookup of a newer one.
    Refresh(Addresses, watch::Receiver<Progress>),
    Lookup(watch::Receiver<Progress>),
}

/// A question that was put.
#[derive(Debug)]
pub(super) enum Question {
    Answered(Addresses),
    Open(watch::Receiver<Progress>),
}

impl Question {
    pub(super) async fn answer(self) -> Addresses {
        match self {
            Self::Answered(addresses) => addresses,
            Self::Open(progress) => answer(progress).await,
        }
    }
}

async fn answer(mut progress: watch::Receiver<Progress>) -> Addresses {
    let is_answered = |progress: &Progress| matches!(progress, Progress::Answered(_));
    match progress.wait_for(is_answered).await.as_deref() {
        Ok(Progress::Answered(addresses)) => addresses.clone(),
        Ok(Progress::InLine | Progress::Asked) | Err(_) => Addresses::default(),
    }
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self::over(|host| {
            Box::pin(async move {
                match tokio::net::lookup_host((&*host, 0)).await {
                    Ok(addresses) => addresses.map(|address| address.ip()).collect(),
                    Err(_) => Addresses::default(),
                }
            })
        })
    }

    fn over(system: fn(Arc<str>) -> Answering) -> Self {
        Self {
            names: Arc::default(),
            slots: LookupSlots::new(LOOKUPS_MAX),
            system,
        }
    }

    /// Asks for the addresses of a host. Waits until the question is put, which may be long if the
    /// account has many names that are slow to be found; how long the answer takes comes on top.
    pub(super) async fn ask(&self, account: AccountSid, host: &str) -> Question {
        match self.begin(account, host) {
            Begun::Known(addresses) => Question::Answered(addresses),
            Begun::Refresh(last, progress) => {
                let newer = timeout(REFRESH_PATIENCE, answer(progress)).await;
                let newer = newer.ok().filter(|addresses| !addresses.is_empty());
                Question::Answered(newer.unwrap_or(last))
            }
            Begun::Lookup(mut progress) => {
                let is_asked = |progress: &Progress| !matches!(progress, Progress::InLine);
                // An error: it will never be, as `answer` finds as well.
                let _ = progress.wait_for(is_asked).await;
                Question::Open(progress)
            }
        }
    }

    /// What is known, and the lookup that it takes to know better.
    fn begin(&self, account: AccountSid, host: &str) -> Begun {
        let mut names = self.names.lock();
        if names.len() >= ANSWERS_MAX && !names.contains_key(host) {
            names.retain(|_, name| name.lookup.is_some());
        }
        let host: Arc<str> = host.into();
        let name = names.entry(host.clone()).or_default();
        name.found
            .take_if(|found| found.asked.elapsed() >= LAST_ANSWER_AGE_MAX);
        if let Some(found) = &name.found
            && found.asked.elapsed() < ANSWER_AGE_MAX
        {
            return Begun::Known(found.addresses.clone());
        }
        let lookup = name.lookup.get_or_insert_with(|| Lookup {
            progress: Arc::new(watch::channel(Progress::InLine).0),
            lines: SmallVec::new(),
        });
        let progress = lookup.progress.subscribe();
        let is_in_line = matches!(*progress.borrow(), Progress::InLine);
        if is_in_line && !lookup.lines.contains(&account) {
            lookup.lines.push(account);
            // Not awaited: it ends with its turn, or its answer, or when nobody waits for either.
            let looking =
                self.clone()
                    .look_up(account, host, lookup.progress.clone(), name.found.is_some());
            tokio::spawn(looking);
        }
        match &name.found {
            Some(found) => Begun::Refresh(found.addresses.clone(), progress),
            None => Begun::Lookup(progress),
        }
    }

    async fn look_up(
        self,
        account: AccountSid,
        host: Arc<str>,
        progress: Arc<watch::Sender<Progress>>,
        is_refresh: bool,
    ) {
        let Some(_slot) = self.turn(account, &host, &progress, is_refresh).await else {
            return;
        };
        if !self.claim(&host, &progress) {
            return;
        }
        let asked = Instant::now();
        let addresses = (self.system)(host.clone()).await;
        let mut names = self.names.lock();
        if let Some(name) = names.get_mut(&host) {
            name.lookup = None;
            if !addresses.is_empty() {
                let addresses = addresses.clone();
                name.found = Some(Found { asked, addresses });
            }
            if name.found.is_none() {
                names.remove(&host);
            }
        }
        drop(names);
        progress.send_replace(Progress::Answered(addresses));
    }

    /// The account's turn to look something up. `None` if nobody wants to know any longer; a refresh
    /// goes on, for those to come.
    async fn turn(
        &self,
        account: AccountSid,
        host: &str,
        progress: &Arc<watch::Sender<Progress>>,
        is_refresh: bool,
    ) -> Option<Slot> {
        let turn = self.slots.take(account);
        if is_refresh {
            return Some(turn.await);
        }
        tokio::pin!(turn);
        loop {
            tokio::select! {
                slot = &mut turn => return Some(slot),
                () = progress.closed() => if self.forget(host, progress) { return None },
            }
        }
    }

    /// Forgets a lookup, unless someone has come to wait for it.
    fn forget(&self, host: &str, progress: &Arc<watch::Sender<Progress>>) -> bool {
        let mut names = self.names.lock();
        // Under the lock, as is whoever subscribes.
        if progress.receiver_count() > 0 {
            return false;
        }
        let is_it = |lookup: &Lookup| Arc::ptr_eq(&lookup.progress, progress);
        if let Some(name) = names.get_mut(host)
            && name.lookup.as_ref().is_some_and(is_it)
            && matches!(*progress.borrow(), Progress::InLine)
        {
            name.lookup = None;
            if name.found.is_none() {
                names.remove(host);
            }
        }
        true
    }

    /// Whether this turn puts the question: another account's may have come first.
    fn claim(&self, host: &str, progress: &Arc<watch::Sender<Progress>>) -> bool {
        let names = self.names.lock();
        let lookup = names.get(host).and_then(|name| name.lookup.as_ref());
        lookup.is_some_and(|lookup| Arc::ptr_eq(&lookup.progress, progress))
            && progress.send_if_modified(|progress| {
                let is_first = matches!(progress, Progress::InLine);
                if is_first {
                    *progress = Progress::Asked;
                }
                is_first
            })
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::sid::Id;

    use super::*;

    const SOON: Duration = Duration::from_millis(500);

    fn account(no: u128) -> AccountSid {
        AccountSid(Id::from_u128(no))
    }

    /// Dead names are never answered, unknown ones at once, others have an address.
    fn fake(host: Arc<str>) -> Answering {
        Box::pin(async move {
            if host.ends_with(".dead.test") {
                std::future::pending::<()>().await;
            }
            if host.ends_with(".unknown.test") {
                return Addresses::default();
            }
            [IpAddr::from([192, 0, 2, 1])].into()
        })
    }

    async fn resolve(resolver: &Resolver, no: u128, host: &str) -> Option<usize> {
        let answer = async { resolver.ask(account(no), host).await.answer().await };
        let addresses = timeout(SOON, answer).await.ok()?;
        Some(addresses.len())
    }

    /// As many attempts at dead names as an account likes; dropping them aborts them.
    fn dead(resolver: &Resolver, no: u128, names: usize) -> tokio::task::JoinSet<()> {
        (0..names)
            .map(|name| {
                let resolver = resolver.clone();
                async move {
                    let host = format!("h{name}.a{no}.dead.test");
                    resolver.ask(account(no), &host).await.answer().await;
                }
            })
            .collect()
    }

    #[tokio::test]
    async fn dead_names_of_some_accounts_do_not_delay_another() {
        let resolver = Resolver::over(fake);
        let _first = dead(&resolver, 1, 200);
        let _second = dead(&resolver, 2, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
        for name in 0..100 {
            let host = format!("h{name}.example");
            assert_eq!(resolve(&resolver, 3, &host).await, Some(1), "{host}");
        }
        assert_eq!(resolve(&resolver, 3, "h.unknown.test").await, Some(0));
    }

    #[tokio::test]
    async fn a_name_that_waits_in_another_accounts_line_is_found_at_once() {
        let resolver = Resolver::over(fake);
        let _first = dead(&resolver, 1, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let in_line = resolver.ask(account(1), "shared.example");
        let mut in_line = std::pin::pin!(in_line);
        assert!(timeout(SOON / 10, &mut in_line).await.is_err());
        assert_eq!(resolve(&resolver, 2, "shared.example").await, Some(1));
        let answer = timeout(SOON, in_line).await.unwrap().answer().await;
        assert_eq!(answer.len(), 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_longer_leaves_the_line() {
        let resolver = Resolver::over(fake);
        let mut attempts = dead(&resolver, 1, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(resolver.names.lock().len(), 200);
        attempts.shutdown().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(
            resolver.names.lock().len(),
            LOOKUPS_MAX / 2,
            "those whose threads are blocked"
        );
    }

    #[tokio::test]
    async fn the_last_good_answer_serves_while_a_newer_one_is_slow() {
        let resolver = Resolver::over(fake);
        for (host, age, expected) in [
            ("a.dead.test", LAST_ANSWER_AGE_MAX / 2, Some(1)),
            ("a.unknown.test", LAST_ANSWER_AGE_MAX / 2, Some(1)),
            ("b.dead.test", LAST_ANSWER_AGE_MAX, None),
            ("b.unknown.test", LAST_ANSWER_AGE_MAX, Some(0)),
        ] {
            let found = Found {
                asked: Instant::now().checked_sub(age).unwrap(),
                addresses: [IpAddr::from([192, 0, 2, 2])].into(),
            };
            let name = Name {
                found: Some(found),
                lookup: None,
            };
            resolver.names.lock().insert(host.into(), name);
            assert_eq!(resolve(&resolver, 1, host).await, expected, "{host}");
        }
    }

    #[tokio::test]
    async fn too_many_answers_do_not_forget_what_is_being_asked() {
        let resolver = Resolver::over(fake);
        let _dead = dead(&resolver, 1, 10);
        tokio::time::sleep(Duration::from_millis(20)).await;
        for name in 0..ANSWERS_MAX {
            resolver.ask(account(2), &format!("h{name}.example")).await;
        }
        let names = resolver.names.lock();
        assert!(names.len() <= ANSWERS_MAX);
        let asked = names.values().filter(|name| name.lookup.is_some());
        assert_eq!(asked.count(), 10);
    }
}
