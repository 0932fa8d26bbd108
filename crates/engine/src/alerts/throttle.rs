//! How many alerts that are alike are told one by one, and how many count only.
//!
//! A few failures are told each by itself, with its message. A dead carrier or endpoint makes as many as
//! there are messages, all saying the same: after a burst only one is told now and then, and each says
//! for how many it stands.

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::AccountNo;
use postrider_core::sid::Id;
use rustc_hash::FxHashMap;

/// Scopes remembered of a main account and its subaccounts. Customers make them up (a path with an id
/// in it), so beyond that an account's alerts of a code are taken for alike, whatever their scope.
const SCOPES_OF_MAIN_MAX: usize = 1_000;

/// Scopes remembered of all accounts, likewise; about 4 MiB.
const SCOPES_MAX: usize = 20_000;

/// How often scopes of which nothing was heard lately are looked for when there are too many.
const SWEEP_EVERY_MS: Millis = 1_000;

const MINUTE_MS: Millis = 60_000;
const HOUR_MS: Millis = 60 * MINUTE_MS;
const DAY_MS: Millis = 24 * HOUR_MS;

/// So many are told at once, and from then on one each time.
#[derive(Clone, Copy, Debug)]
struct Policy {
    burst: u32,
    every_ms: Millis,
}

fn policy(code: ErrorCode) -> Policy {
    let (burst, every_ms) = match code {
        ErrorCode::PreregistrationWanted
        | ErrorCode::DailyCapHalfUsed
        | ErrorCode::DailyCapMostlyUsed => (1, DAY_MS),
        // These come with every message until a setting is mended.
        ErrorCode::InheritedValidityPeriodInvalid | ErrorCode::WebhookRetryPolicyInvalid => {
            (1, HOUR_MS)
        }
        _ => (60, MINUTE_MS),
    };
    Policy { burst, every_ms }
}

/// What alerts must have in common to be alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind<'a> {
    /// The main account: a customer with many subaccounts is one customer.
    pub main: AccountNo,
    pub account: AccountNo,
    pub code: ErrorCode,
    pub scope: &'a str,
}

/// What becomes of an alert.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    Told {
        id: Id,
        /// What it is alike with from now on.
        scope: &'a str,
    },
    /// It counts with this alert.
    Repeated(Id),
    /// There is no room to tell it, and no alert it could count with.
    Dropped,
}

#[derive(Default)]
pub(super) struct Throttle {
    mains: FxHashMap<AccountNo, Scopes>,
    len: usize,
    swept_ms: Millis,
}

/// Of a main account and its subaccounts.
#[derive(Default)]
struct Scopes {
    by_code: FxHashMap<(AccountNo, ErrorCode), FxHashMap<Box<str>, Bucket>>,
    len: usize,
}

struct Bucket {
    /// The last that was told.
    last: Id,
    left: u32,
    since_ms: Millis,
}

impl Bucket {
    fn refill(&mut self, policy: Policy, now_ms: Millis) {
        let elapsed_ms = now_ms - self.since_ms;
        let earned = if elapsed_ms > -MINUTE_MS {
            let earned = elapsed_ms.max(0) / policy.every_ms;
            u32::try_from(earned).unwrap_or(u32::MAX)
        } else {
            // The clock was set back, by who knows how much. Less than that is a correction of it.
            u32::MAX
        };
        self.left = self.left.saturating_add(earned).min(policy.burst);
        if self.left == policy.burst {
            self.since_ms = now_ms;
        } else {
            self.since_ms += Millis::from(earned) * policy.every_ms;
        }
    }
}

impl Throttle {
    /// Decides about one that happened. Without `has_room` none is told, and none will be missing
    /// when there is room again.
    pub(super) fn take<'a>(
        &mut self,
        kind: Kind<'a>,
        now_ms: Millis,
        has_room: bool,
        next_id: impl FnOnce() -> Id,
    ) -> Verdict<'a> {
        let policy = policy(kind.code);
        let scope = self.scope(kind, now_ms);
        let kind = Kind { scope, ..kind };
        let Some(bucket) = self.bucket(kind) else {
            if !has_room {
                return Verdict::Dropped;
            }
            let id = next_id();
            let bucket = Bucket {
                last: id,
                left: policy.burst - 1,
                since_ms: now_ms,
            };
            let scopes = self.mains.entry(kind.main).or_default();
            let of_code = scopes.by_code.entry((kind.account, kind.code)).or_default();
            of_code.insert(scope.into(), bucket);
            scopes.len += 1;
            self.len += 1;
            return Verdict::Told { id, scope };
        };
        bucket.refill(policy, now_ms);
        if bucket.left == 0 || !has_room {
            return Verdict::Repeated(bucket.last);
        }
        bucket.left -= 1;
        let id = next_id();
        bucket.last = id;
        Verdict::Told { id, scope }
    }

    /// The scope that the alert is taken for: its own, or the one of all for which there is no room.
    /// That one may be had beyond the limits: there are few codes, and nobody shall be silenced by
    /// what others make up.
    fn scope<'a>(&mut self, kind: Kind<'a>, now_ms: Millis) -> &'a str {
        if self.bucket(kind).is_some() {
            return kind.scope;
        }
        let is_full = |this: &Self| {
            let scopes = this.mains.get(&kind.main);
            let of_main = scopes.map_or(0, |scopes| scopes.len);
            this.len >= SCOPES_MAX || of_main >= SCOPES_OF_MAIN_MAX
        };
        if is_full(self) {
            self.sweep(now_ms);
        }
        if is_full(self) { "" } else { kind.scope }
    }

    fn bucket(&mut self, kind: Kind<'_>) -> Option<&mut Bucket> {
        let scopes = self.mains.get_mut(&kind.main)?;
        let of_code = scopes.by_code.get_mut(&(kind.account, kind.code))?;
        of_code.get_mut(kind.scope)
    }

    /// Forgets scopes that would be told in full again.
    fn sweep(&mut self, now_ms: Millis) {
        if (0..SWEEP_EVERY_MS).contains(&(now_ms - self.swept_ms)) {
            return;
        }
        self.swept_ms = now_ms;
        self.len = 0;
        self.mains.retain(|_, scopes| {
            scopes.len = 0;
            scopes.by_code.retain(|(_, code), known| {
                let policy = policy(*code);
                known.retain(|_, bucket| {
                    bucket.refill(policy, now_ms);
                    bucket.left < policy.burst
                });
                scopes.len += known.len();
                !known.is_empty()
            });
            self.len += scopes.len;
            scopes.len > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: ErrorCode = ErrorCode::WebhookFailed;
    const UNREGISTERED: ErrorCode = ErrorCode::PreregistrationWanted;

    fn id(number: u128) -> Id {
        Id::from_u128(number)
    }

    fn kind(account: u32, code: ErrorCode, scope: &str) -> Kind<'_> {
        Kind {
            main: AccountNo(account),
            account: AccountNo(account),
            code,
            scope,
        }
    }

    /// Of so many at one instant, how many are told.
    fn told(throttle: &mut Throttle, code: ErrorCode, count: u32, now_ms: Millis) -> u32 {
        let one = |_: &u32| {
            let verdict = throttle.take(kind(1, code, "a"), now_ms, true, || id(1));
            matches!(verdict, Verdict::Told { .. })
        };
        u32::try_from((0..count).filter(one).count()).unwrap()
    }

    #[test]
    fn a_burst_is_told_and_then_one_each_time() {
        let mut throttle = Throttle::default();
        // Columns: code, instant, how many happen, how many are told.
        for (code, now_ms, count, wanted) in [
            (FAILED, 0, 1_000, 60),
            (FAILED, MINUTE_MS - 1, 1_000, 0),
            (FAILED, MINUTE_MS, 1_000, 1),
            (FAILED, 3 * MINUTE_MS - 1, 1_000, 1),
            (FAILED, 3 * MINUTE_MS, 1_000, 1),
            (FAILED, DAY_MS, 1_000, 60),
            (UNREGISTERED, 0, 9, 1),
            (UNREGISTERED, DAY_MS - 1, 9, 0),
            (UNREGISTERED, DAY_MS, 9, 1),
            (UNREGISTERED, 2 * DAY_MS - 1, 9, 0),
            // The clock is corrected.
            (UNREGISTERED, DAY_MS + 1, 9, 0),
            (FAILED, DAY_MS - MINUTE_MS + 1, 9, 0),
            (FAILED, DAY_MS + MINUTE_MS, 9, 1),
            // The clock is set back.
            (FAILED, DAY_MS - MINUTE_MS, 99, 60),
            (UNREGISTERED, 5, 9, 1),
            (UNREGISTERED, 6, 9, 0),
        ] {
            let told = told(&mut throttle, code, count, now_ms);
            assert_eq!(told, wanted, "{code} at {now_ms}");
        }
    }

    #[test]
    fn what_is_not_told_counts_with_the_last_of_its_kind() {
        let mut throttle = Throttle::default();
        let mut ids = (1..).map(id);
        let mut take = |account, code, scope| {
            throttle.take(kind(account, code, scope), 0, true, || ids.next().unwrap())
        };
        let told = |number, scope| Verdict::Told {
            id: id(number),
            scope,
        };
        assert_eq!(take(1, UNREGISTERED, "a"), told(1, "a"));
        assert_eq!(take(1, UNREGISTERED, "b"), told(2, "b"));
        assert_eq!(take(2, UNREGISTERED, "a"), told(3, "a"));
        assert_eq!(take(1, FAILED, "a"), told(4, "a"));
        assert_eq!(take(1, UNREGISTERED, "a"), Verdict::Repeated(id(1)));
        assert_eq!(take(2, UNREGISTERED, "a"), Verdict::Repeated(id(3)));
    }

    #[test]
    fn a_flood_of_scopes_has_an_end_and_silences_nobody_else() {
        let mut throttle = Throttle::default();
        let mut told = |main, account, now_ms, scopes: std::ops::Range<usize>| {
            let count = |scope: &usize| {
                let scope = scope.to_string();
                let kind = Kind {
                    main: AccountNo(main),
                    ..kind(account, UNREGISTERED, &scope)
                };
                let verdict = throttle.take(kind, now_ms, true, || id(1));
                matches!(verdict, Verdict::Told { .. })
            };
            scopes.filter(count).count()
        };
        let of_main = SCOPES_OF_MAIN_MAX;
        // One more: all the others together.
        assert_eq!(told(1, 1, 0, 0..2 * of_main), of_main + 1);
        assert_eq!(told(2, 2, 0, 0..10), 10);
        // A subaccount adds to what its main account has; it is told of its own nevertheless.
        assert_eq!(told(1, 11, 0, 0..10), 1);
        assert_eq!(told(1, 1, DAY_MS, 0..10), 10);
        let others = 100..100 + 2 * u32::try_from(SCOPES_MAX / of_main).unwrap();
        for account in others.clone() {
            told(account, account, DAY_MS, 0..of_main);
        }
        // Those who come too late hear of it all the same, though not of each scope by itself.
        assert_eq!(told(3, 3, DAY_MS + 1, 0..10), 1);
        assert_eq!(told(3, 3, 2 * DAY_MS + 1, 0..10), 10);
        assert!(throttle.len <= SCOPES_MAX + others.len() + 1);
    }

    #[test]
    fn what_there_is_no_room_for_is_told_later() {
        // Columns: whether there is room, what becomes of an alert of a kind told once a day.
        let told = Verdict::Told {
            id: id(9),
            scope: "a",
        };
        let mut throttle = Throttle::default();
        for (now_ms, has_room, wanted) in [
            (0, false, Verdict::Dropped),
            (1, true, told),
            (2, true, Verdict::Repeated(id(9))),
            (DAY_MS + 1, false, Verdict::Repeated(id(9))),
            (
                DAY_MS + 2,
                true,
                Verdict::Told {
                    id: id(9),
                    scope: "a",
                },
            ),
        ] {
            let kind = kind(1, UNREGISTERED, "a");
            let verdict = throttle.take(kind, now_ms, has_room, || id(9));
            assert_eq!(verdict, wanted, "at {now_ms}");
        }
    }
}
