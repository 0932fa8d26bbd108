//! Caps: how much one sender may take over in one day, as carriers count it against a number.
//!
//! Off unless the configuration has some. A day is a calendar day in UTC. A message counts on the day on which
//! its sender takes it over: when it is accepted, or when its schedule releases it. See `docs/limits.md`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Millis;
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::phone_number::PhoneNumber;
use crate::select::SenderKind;
use crate::text::SEGMENTS_MAX;

const DAY_MS: Millis = 86_400_000;

/// When the day of an instant began.
pub fn day_of(now_ms: Millis) -> Millis {
    now_ms - now_ms.rem_euclid(DAY_MS)
}

/// One `[[caps]]` table. Every condition that is present must hold; 0 is no cap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapRule {
    pub sender: Option<SenderKind>,
    /// The sender's; none means all.
    pub countries: Vec<Country>,
    pub daily_segments: u32,
    pub daily_recipients: u32,
}

/// What a sender may take over in a day; 0 = no cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyCap {
    pub segments: u32,
    pub recipients: u32,
}

impl DailyCap {
    /// Whether half of it is used, or 70 %.
    fn much_used(self, segments: u64, recipients: usize) -> Option<ErrorCode> {
        let used = [
            (segments, self.segments),
            (recipients as u64, self.recipients),
        ];
        let has_used = |percent: u64| {
            let is_used = |&(used, cap): &(u64, u32)| used * 100 >= u64::from(cap) * percent;
            used.iter().filter(|(_, cap)| *cap > 0).any(is_used)
        };
        if has_used(70) {
            Some(ErrorCode::DailyCapMostlyUsed)
        } else if has_used(50) {
            Some(ErrorCode::DailyCapHalfUsed)
        } else {
            None
        }
    }
}

/// The cap of a sender: that of the first rule that matches.
pub fn cap_of(rules: &[CapRule], kind: SenderKind, country: Option<Country>) -> Option<DailyCap> {
    let matches = |rule: &&CapRule| {
        let is_there = country.is_some_and(|country| rule.countries.contains(&country));
        rule.sender.is_none_or(|wanted| wanted == kind) && (rule.countries.is_empty() || is_there)
    };
    let rule = rules.iter().find(matches)?;
    let cap = DailyCap {
        segments: rule.daily_segments,
        recipients: rule.daily_recipients,
    };
    (cap.segments > 0 || cap.recipients > 0).then_some(cap)
}

/// What a sender took over in a day. Holds as many recipients as its cap lets through.
#[derive(Clone, Debug, Default)]
pub struct DayOfUse {
    segments: u64,
    /// With how many messages to each.
    recipients: BTreeMap<PhoneNumber, u32>,
    /// How much of the cap was used up when it was last told.
    told: Option<ErrorCode>,
}

impl DayOfUse {
    /// Whether the cap leaves no room for a message.
    pub fn is_over(&self, cap: DailyCap, segments: u16, to: PhoneNumber) -> bool {
        let has_segments = self.segments + u64::from(segments) <= u64::from(cap.segments);
        let is_known = self.recipients.contains_key(&to);
        let has_recipients = is_known || self.recipients.len() < cap.recipients as usize;
        (cap.segments > 0 && !has_segments) || (cap.recipients > 0 && !has_recipients)
    }

    /// Whether there may be a message that the cap leaves no room for.
    pub fn is_nearly_over(&self, cap: DailyCap) -> bool {
        let has_segments = self.segments + u64::from(SEGMENTS_MAX) <= u64::from(cap.segments);
        let has_recipients = self.recipients.len() < cap.recipients as usize;
        (cap.segments > 0 && !has_segments) || (cap.recipients > 0 && !has_recipients)
    }

    /// Counts a message. Tells once when half of the cap is used, and once when 70 % are.
    pub fn add(&mut self, cap: DailyCap, segments: u16, to: PhoneNumber) -> Option<ErrorCode> {
        self.segments += u64::from(segments);
        if cap.recipients > 0 {
            *self.recipients.entry(to).or_default() += 1;
        }
        let code = cap.much_used(self.segments, self.recipients.len())?;
        (self.told.replace(code) != Some(code)).then_some(code)
    }

    /// What there would be to tell once a message is counted, told before or not.
    pub fn foresee(&self, cap: DailyCap, segments: u16, to: PhoneNumber) -> Option<ErrorCode> {
        let is_new = cap.recipients > 0 && !self.recipients.contains_key(&to);
        let recipients = self.recipients.len() + usize::from(is_new);
        cap.much_used(self.segments + u64::from(segments), recipients)
    }

    /// A message that was counted is not taken over after all.
    pub fn remove(&mut self, segments: u16, to: PhoneNumber) {
        self.segments = self.segments.saturating_sub(u64::from(segments));
        if let Some(count) = self.recipients.get_mut(&to) {
            *count -= 1;
            if *count == 0 {
                self.recipients.remove(&to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(last: u64) -> PhoneNumber {
        PhoneNumber::parse(&format!("+1415555{last:04}")).unwrap()
    }

    const CAP: DailyCap = DailyCap {
        segments: 10,
        recipients: 3,
    };

    #[test]
    fn a_day_begins_at_midnight_utc() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(DAY_MS - 1), 0);
        assert_eq!(day_of(DAY_MS), DAY_MS);
        assert_eq!(day_of(-1), -DAY_MS);
    }

    #[test]
    fn the_first_rule_that_matches_is_the_cap() {
        let [us, gb] = ["US", "GB"].map(|code| Country::parse(code).unwrap());
        let rule = |sender, countries: &[Country], daily_segments| CapRule {
            sender,
            countries: countries.to_vec(),
            daily_segments,
            daily_recipients: 0,
        };
        let rules = [
            rule(Some(SenderKind::LongCode), &[us], 2_000),
            rule(Some(SenderKind::TollFree), &[], 0),
            rule(None, &[gb, us], 5),
        ];
        for (kind, country, expected) in [
            (SenderKind::LongCode, Some(us), Some(2_000)),
            (SenderKind::LongCode, Some(gb), Some(5)),
            (SenderKind::LongCode, None, None),
            (SenderKind::TollFree, Some(us), None),
            (SenderKind::ShortCode, Some(us), Some(5)),
        ] {
            let cap = cap_of(&rules, kind, country).map(|cap| cap.segments);
            assert_eq!(cap, expected, "{kind:?} {country:?}");
        }
    }

    #[test]
    fn segments_and_recipients_are_capped_each_for_itself() {
        let mut day = DayOfUse::default();
        for last in 1..=3 {
            assert!(!day.is_over(CAP, 2, to(last)));
            day.add(CAP, 2, to(last));
        }
        assert!(day.is_over(CAP, 1, to(4)), "a fourth recipient");
        assert!(!day.is_over(CAP, 4, to(3)), "a known one");
        assert!(day.is_over(CAP, 5, to(3)), "eleven segments");
        day.remove(2, to(1));
        assert!(!day.is_over(CAP, 1, to(4)));
        let no_recipients = DailyCap {
            recipients: 0,
            ..CAP
        };
        assert!(!day.is_over(no_recipients, 6, to(9)));
        let no_segments = DailyCap { segments: 0, ..CAP };
        assert!(!day.is_over(no_segments, 1_000, to(3)));
    }

    #[test]
    fn use_is_told_at_half_and_at_seventy_percent() {
        let mut day = DayOfUse::default();
        assert_eq!(day.foresee(CAP, 4, to(1)), None);
        assert_eq!(
            day.foresee(CAP, 7, to(1)),
            Some(ErrorCode::DailyCapMostlyUsed)
        );
        let mut add = |segments| day.add(CAP, segments, to(1));
        assert_eq!(add(4), None);
        assert_eq!(add(1), Some(ErrorCode::DailyCapHalfUsed));
        assert_eq!(add(1), None);
        assert_eq!(add(1), Some(ErrorCode::DailyCapMostlyUsed));
        assert_eq!(add(1), None);
        // A question is answered again and again.
        assert_eq!(
            day.foresee(CAP, 1, to(1)),
            Some(ErrorCode::DailyCapMostlyUsed)
        );
        // The second of three recipients is over half of them.
        let mut day = DayOfUse::default();
        day.add(CAP, 1, to(1));
        assert_eq!(day.foresee(CAP, 1, to(1)), None);
        assert_eq!(
            day.foresee(CAP, 1, to(2)),
            Some(ErrorCode::DailyCapHalfUsed)
        );
    }
}
