//! Connection overrides: what a URL's fragment says about timeouts and retries.
//!
//! `https://example.com/status#ct=2000&rc=2&rp=5xx,ct`. Keys, ranges and defaults are Twilio's
//! (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>): unknown keys are
//! ignored, and a value out of range is replaced by the default and worth a warning (11243).

use postrider_core::error_code::ErrorCode;

use super::failure::FailureClass;

/// How a URL wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrides {
    pub connect_timeout_ms: u32,
    /// Until the first octet of the answer.
    pub read_timeout_ms: u32,
    /// Budget of all attempts together.
    pub total_timeout_ms: u32,
    /// Attempts after the first.
    pub retries: u8,
    pub retry_on: RetryOn,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            read_timeout_ms: 15_000,
            total_timeout_ms: 15_000,
            retries: 1,
            retry_on: RetryOn::of(FailureClass::Connect),
        }
    }
}

/// The failures after which to try again, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOn(u8);

impl RetryOn {
    const ALL: Self = Self(0b1111);

    const fn of(class: FailureClass) -> Self {
        Self(1 << class as u8)
    }

    pub fn contains(self, class: FailureClass) -> bool {
        self.0 & Self::of(class).0 != 0
    }

    fn parse(text: &str) -> Option<Self> {
        text.split(',').try_fold(Self(0), |set, word| {
            let more = match word {
                "4xx" => Self::of(FailureClass::ClientError),
                "5xx" => Self::of(FailureClass::ServerError),
                "ct" => Self::of(FailureClass::Connect),
                "rt" => Self::of(FailureClass::Read),
                "all" => Self::ALL,
                _ => return None,
            };
            Some(Self(set.0 | more.0))
        })
    }
}

/// A key whose value was not usable; its default holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection override {key}={value} is not usable, the default holds")]
pub struct InvalidOverride {
    pub key: &'static str,
    pub value: Box<str>,
}

impl InvalidOverride {
    pub fn code(&self) -> ErrorCode {
        ErrorCode::WebhookRetryPolicyInvalid
    }
}

impl Overrides {
    /// Reads a fragment (without its `#`). A key given twice counts as written last.
    pub fn parse(fragment: &str) -> (Self, Vec<InvalidOverride>) {
        let mut overrides = Self::default();
        let mut invalid = Vec::new();
        for (key, value) in form_urlencoded::parse(fragment.as_bytes()) {
            if let Err(key) = overrides.set(&key, &value) {
                invalid.push(InvalidOverride {
                    key,
                    value: value.into(),
                });
            }
        }
        (overrides, invalid)
    }

    /// Applies one pair; the error is the key whose value is not usable.
    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let default = Self::default();
        match key {
            "ct" => set_ms(
                &mut self.connect_timeout_ms,
                value,
                10_000,
                default.connect_timeout_ms,
            )
            .ok_or("ct"),
            "rt" => set_ms(
                &mut self.read_timeout_ms,
                value,
                15_000,
                default.read_timeout_ms,
            )
            .ok_or("rt"),
            "tt" => set_ms(
                &mut self.total_timeout_ms,
                value,
                15_000,
                default.total_timeout_ms,
            )
            .ok_or("tt"),
            "rc" => {
                let retries = value.parse().ok().filter(|retries| *retries <= 5);
                self.retries = retries.unwrap_or(default.retries);
                retries.map(drop).ok_or("rc")
            }
            "rp" => {
                let retry_on = RetryOn::parse(value);
                self.retry_on = retry_on.unwrap_or(default.retry_on);
                retry_on.map(drop).ok_or("rp")
            }
            // SNI is always sent, so both values are as good.
            "sni" => matches!(value, "y" | "n").then_some(()).ok_or("sni"),
            // `e` names a Twilio edge, which we have none of; anything else is not ours.
            _ => Ok(()),
        }
    }
}

/// Shortest timeout, in ms; the longest differs.
const TIMEOUT_MS_MIN: u32 = 100;

fn set_ms(timeout_ms: &mut u32, value: &str, max: u32, default: u32) -> Option<()> {
    let is_plain = value.bytes().all(|b| b.is_ascii_digit());
    let given = is_plain.then(|| value.parse().ok()).flatten();
    let given = given.filter(|ms| (TIMEOUT_MS_MIN..=max).contains(ms));
    *timeout_ms = given.unwrap_or(default);
    given.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `ct rt tt rc rp`.
    fn text(overrides: Overrides) -> String {
        use FailureClass::{ClientError, Connect, Read, ServerError};
        let words = [
            (ClientError, "4xx"),
            (ServerError, "5xx"),
            (Connect, "ct"),
            (Read, "rt"),
        ];
        let rp = words
            .into_iter()
            .filter(|(class, _)| overrides.retry_on.contains(*class));
        let Overrides {
            connect_timeout_ms,
            read_timeout_ms,
            total_timeout_ms,
            retries,
            ..
        } = overrides;
        format!(
            "{connect_timeout_ms} {read_timeout_ms} {total_timeout_ms} {retries} {}",
            rp.map(|(_, word)| word).collect::<Vec<_>>().join(",")
        )
    }

    #[test]
    fn each_key_has_its_range_and_its_default() {
        #[rustfmt::skip]
        let rows = [
            // fragment              ct    rt    tt    rc rp               unusable
            ("",                    "5000 15000 15000 1 ct",               ""),
            ("section-2",           "5000 15000 15000 1 ct",               ""),
            ("rc=2&rp=5xx,ct&ct=2000", "2000 15000 15000 2 5xx,ct",        ""),
            ("ct=100",              "100 15000 15000 1 ct",                ""),
            ("ct=99",               "5000 15000 15000 1 ct",               "ct"),
            ("ct=10000",            "10000 15000 15000 1 ct",              ""),
            ("ct=10001",            "5000 15000 15000 1 ct",               "ct"),
            ("rt=100",              "5000 100 15000 1 ct",                 ""),
            ("rt=99",               "5000 15000 15000 1 ct",               "rt"),
            ("rt=15000",            "5000 15000 15000 1 ct",               ""),
            ("rt=15001",            "5000 15000 15000 1 ct",               "rt"),
            ("tt=100",              "5000 15000 100 1 ct",                 ""),
            ("tt=15001",            "5000 15000 15000 1 ct",               "tt"),
            ("ct=+500",             "5000 15000 15000 1 ct",               "ct"),
            ("ct=",                 "5000 15000 15000 1 ct",               "ct"),
            ("ct=5s",               "5000 15000 15000 1 ct",               "ct"),
            ("ct=99999999999999",   "5000 15000 15000 1 ct",               "ct"),
            ("rc=0",                "5000 15000 15000 0 ct",               ""),
            ("rc=5",                "5000 15000 15000 5 ct",               ""),
            ("rc=6",                "5000 15000 15000 1 ct",               "rc"),
            ("rc=-1",               "5000 15000 15000 1 ct",               "rc"),
            ("rp=all",              "5000 15000 15000 1 4xx,5xx,ct,rt",    ""),
            ("rp=4xx",              "5000 15000 15000 1 4xx",              ""),
            ("rp=rt%2C5xx",         "5000 15000 15000 1 5xx,rt",           ""),
            ("rp=5xx,never",        "5000 15000 15000 1 ct",               "rp"),
            ("rp=",                 "5000 15000 15000 1 ct",               "rp"),
            ("rc=9&ct=1&rp=x",      "5000 15000 15000 1 ct",               "rc,ct,rp"),
            ("ct=300&ct=400",       "400 15000 15000 1 ct",                ""),
            ("sni=y&e=dublin,tokyo","5000 15000 15000 1 ct",               ""),
            ("sni=maybe",           "5000 15000 15000 1 ct",               "sni"),
            ("CT=300&foo=bar&&=",   "5000 15000 15000 1 ct",               ""),
        ];
        for (fragment, expected, unusable) in rows {
            let (overrides, invalid) = Overrides::parse(fragment);
            assert_eq!(text(overrides), expected, "{fragment}");
            let keys = invalid
                .iter()
                .map(|invalid| invalid.key)
                .collect::<Vec<_>>();
            assert_eq!(keys.join(","), unusable, "{fragment}");
        }
    }
}
