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

/// Scopes remembered of one account. Customers make them up (a path with an id in it), so beyond that
/// the account's alerts of a code are taken for alike, whatever their scope.
const SCOPES_OF_ACCOUNT_MAX: usize = 1_000;

/// Scopes remembered of all accounts; about 4 MiB.
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
        ErrorCode::PreregistrationWanted => (1, DAY_MS),
        // These come with every message until a setting is mended.
        ErrorCode::InheritedValidityPeriodInvalid | ErrorCode::WebhookRetryPolicyInvalid => {
            (1, HOUR_MS)
        }
        _ => (60, MINUTE_MS),
    };
    Policy { burst, every_ms }
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
    /// There are too many kinds of them.
    Crowded,
}

#[derive(Default)]
pub(super) struct Throttle {
    accounts: FxHashMap<AccountNo, Scopes>,
    len: usize,
    swept_ms: Millis,
}

/// Of one account.
#[derive(Default)]
struct Scopes {
    by_code: FxHashMap<ErrorCode, FxHashMap<Box<str>, Bucket>>,
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
        let earned = u32::try_from(elapsed_ms.div_euclid(policy.every_ms));
        // Negative: the clock was set back, by who knows how much.
        let earned = earned.unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(policy.burst);
        if self.left == policy.burst {
            self.since_ms = now_ms;
        } else {
            self.since_ms += Millis::from(earned) * policy.every_ms;
        }
    }
}

impl Throttle {
    pub(super) fn take<'a>(
        &mut self,
        account: AccountNo,
        code: ErrorCode,
        scope: &'a str,
        now_ms: Millis,
        next_id: impl FnOnce() -> Id,
    ) -> Verdict<'a> {
        let policy = policy(code);
        let scope = match self.place(account, code, scope, now_ms) {
            Place::Known(scope) => scope,
            Place::Free(scope) => {
                let id = next_id();
                let bucket = Bucket {
                    last: id,
                    left: policy.burst - 1,
                    since_ms: now_ms,
                };
                let scopes = self.accounts.entry(account).or_default();
                let of_code = scopes.by_code.entry(code).or_default();
                of_code.insert(scope.into(), bucket);
                scopes.len += 1;
                self.len += 1;
                return Verdict::Told { id, scope };
            }
            Place::None => return Verdict::Crowded,
        };
        let bucket = self
            .accounts
            .get_mut(&account)
            .and_then(|scopes| scopes.by_code.get_mut(&code)?.get_mut(scope))
            .expect("a known place has a bucket");
        bucket.refill(policy, now_ms);
        if bucket.left == 0 {
            return Verdict::Repeated(bucket.last);
        }
        bucket.left -= 1;
        let id = next_id();
        bucket.last = id;
        Verdict::Told { id, scope }
    }

    fn place<'a>(
        &mut self,
        account: AccountNo,
        code: ErrorCode,
        scope: &'a str,
        now_ms: Millis,
    ) -> Place<'a> {
        if self.knows(account, code, scope) {
            return Place::Known(scope);
        }
        let of_account = |this: &Self| this.accounts.get(&account).map_or(0, |known| known.len);
        if self.len >= SCOPES_MAX || of_account(self) >= SCOPES_OF_ACCOUNT_MAX {
            self.sweep(now_ms);
        }
        let scope = if of_account(self) < SCOPES_OF_ACCOUNT_MAX {
            scope
        } else {
            ""
        };
        if self.knows(account, code, scope) {
            return Place::Known(scope);
        }
        // There are so few codes that an account is always allowed one scope of each.
        if self.len < SCOPES_MAX {
            Place::Free(scope)
        } else {
            Place::None
        }
    }

    fn knows(&self, account: AccountNo, code: ErrorCode, scope: &str) -> bool {
        let scopes = self.accounts.get(&account);
        let of_code = scopes.and_then(|scopes| scopes.by_code.get(&code));
        of_code.is_some_and(|known| known.contains_key(scope))
    }

    /// Forgets scopes that would be told in full again.
    fn sweep(&mut self, now_ms: Millis) {
        if (0..SWEEP_EVERY_MS).contains(&(now_ms - self.swept_ms)) {
            return;
        }
        self.swept_ms = now_ms;
        self.len = 0;
        self.accounts.retain(|_, scopes| {
            scopes.len = 0;
            scopes.by_code.retain(|code, known| {
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

enum Place<'a> {
    Known(&'a str),
    Free(&'a str),
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: ErrorCode = ErrorCode::WebhookFailed;
    const UNREGISTERED: ErrorCode = ErrorCode::PreregistrationWanted;

    fn id(number: u128) -> Id {
        Id::from_u128(number)
    }

    /// Of so many at one instant, how many are told.
    fn told(throttle: &mut Throttle, code: ErrorCode, count: u32, now_ms: Millis) -> u32 {
        let one = |_: &u32| {
            let verdict = throttle.take(AccountNo(1), code, "a", now_ms, || id(1));
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
            // The clock is set back.
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
            throttle.take(AccountNo(account), code, scope, 0, || ids.next().unwrap())
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
    fn a_flood_of_scopes_has_an_end() {
        let mut throttle = Throttle::default();
        let mut told = |account, now_ms, scopes: std::ops::Range<usize>| {
            let count = |scope: &usize| {
                let scope = scope.to_string();
                let verdict =
                    throttle.take(AccountNo(account), UNREGISTERED, &scope, now_ms, || id(1));
                matches!(verdict, Verdict::Told { .. })
            };
            scopes.filter(count).count()
        };
        let of_account = SCOPES_OF_ACCOUNT_MAX;
        // One more: all the others together.
        assert_eq!(told(1, 0, 0..2 * of_account), of_account + 1);
        assert_eq!(told(2, 0, 0..10), 10);
        assert_eq!(told(1, DAY_MS, 0..10), 10);
        for account in 10..10 + 2 * SCOPES_MAX / of_account {
            told(u32::try_from(account).unwrap(), DAY_MS, 0..of_account);
        }
        assert_eq!(told(3, DAY_MS + 1, 0..10), 0);
        assert_eq!(told(3, 2 * DAY_MS + 1, 0..10), 10);
        assert!(throttle.len <= SCOPES_MAX);
    }
}
