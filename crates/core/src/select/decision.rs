//! The result of a selection: the sender, and the reason for it and against each other one.
//!
//! A [`Decision`] is all that is kept of a selection. It is stored with the message
//! ([`Decision::to_bytes`]) and read back when somebody asks, even years after the pool changed.

use smallvec::SmallVec;

use super::pool::Pool;
use super::rule::Rule;
use super::scaler::Order;
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::message::SenderNo;
use crate::nanp::AreaCode;
use crate::network::Network;
use crate::settings::SenderStatus;

#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub outcome: Outcome,
    /// How the choice narrowed down: each rule with the number of senders it left. The last one is
    /// the winner's rule.
    pub path: SmallVec<[Step; 4]>,
    pub recipient_country: Option<Country>,
    pub recipient_area_code: Option<AreaCode>,
    /// The network that serves the recipient, where it was known.
    pub recipient_network: Option<Network>,
    /// What to do with the sticky mapping, when the message enters the queue.
    pub sticky: StickyAction,
    /// The message has media that goes out as a link in an SMS (the MMS converter).
    pub is_converted_to_sms: bool,
    /// To be written to the account's alerts; the message goes on.
    pub warning: Option<ErrorCode>,
    /// Senders that lost, by rule and then by number: all of them, or the last ones of a large pool.
    pub removed: SmallVec<[Removed; 12]>,
    /// How many more each rule removed, without their names.
    pub unlisted: SmallVec<[(Rule, u32); 4]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Chosen {
        sender: SenderNo,
        rule: Rule,
    },
    /// The message is accepted and fails with this code.
    None {
        error: ErrorCode,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub rule: Rule,
    /// Senders left after it.
    pub left: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub sender: SenderNo,
    pub rule: Rule,
}

/// What becomes of the mapping of (service, recipient).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StickyAction {
    /// Stickiness does not apply, or there is nothing to remember.
    Ignore,
    /// It was used: its year starts again.
    Touch,
    /// Its sender cannot take this one message. Nothing is written.
    Keep,
    /// There was none: remember the chosen sender.
    Write,
    /// It no longer holds: remember the chosen sender instead.
    Replace(Broken),
    /// It no longer holds, and no sender was found.
    Delete(Broken),
}

impl StickyAction {
    /// The stable name, as in the API and in `docs/sender-selection.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Touch => "touch",
            Self::Keep => "keep",
            Self::Write => "write",
            Self::Replace(_) => "replace",
            Self::Delete(_) => "delete",
        }
    }

    /// Why the mapping no longer holds, where it is replaced or deleted.
    pub fn broken(self) -> Option<Broken> {
        match self {
            Self::Replace(broken) | Self::Delete(broken) => Some(broken),
            Self::Ignore | Self::Touch | Self::Keep | Self::Write => None,
        }
    }
}

/// Why a sticky mapping no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Not used for a year.
    Expired,
    /// Its sender is not in the pool any more.
    LeftPool,
    /// Its sender is suspended, can't send texts any more, or not to the recipient's country.
    NotCompliant,
    /// Its sender is a number of another country, and the pool now has one of the recipient's.
    Foreign,
}

impl Broken {
    /// The stable name, as in the API and in `docs/sender-selection.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::LeftPool => "left_pool",
            Self::NotCompliant => "not_compliant",
            Self::Foreign => "foreign",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Expired => "it was not used for a year",
            Self::LeftPool => "its sender has left the pool",
            Self::NotCompliant => "its sender can't be used, or not for texts to this country",
            Self::Foreign => {
                "its sender is of another country, and there is one of the recipient's"
            }
        }
    }
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub sender: SenderNo,
    pub outcome: CandidateOutcome,
    pub rule: Rule,
    /// In words; completes "because".
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateOutcome {
    Chosen,
    Removed,
}

impl CandidateOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Removed => "removed",
        }
    }
}

impl Decision {
    pub fn chosen(&self) -> Option<SenderNo> {
        match self.outcome {
            Outcome::Chosen { sender, .. } => Some(sender),
            Outcome::None { .. } => None,
        }
    }

    /// The message fails although its sender was found, by a rule [after the choice](Rule): so nobody
    /// has it, and its recipient learns nothing.
    pub fn fail(&mut self, rule: Rule, error: ErrorCode) {
        debug_assert!(
            rule.is_after_the_choice(),
            "{rule} is asked before a choice"
        );
        let Some(sender) = self.chosen() else {
            return;
        };
        self.outcome = Outcome::None { error };
        self.warning = None;
        self.sticky = match self.sticky {
            StickyAction::Ignore | StickyAction::Write => StickyAction::Ignore,
            StickyAction::Touch
            | StickyAction::Keep
            | StickyAction::Replace(_)
            | StickyAction::Delete(_) => StickyAction::Keep,
        };
        // Its rule comes after all others.
        self.removed.push(Removed { sender, rule });
    }

    /// The rule that chose, and why it did: `alpha sender: GB supports it`. For a message without a
    /// sender, the title of its error.
    pub fn summary(&self) -> String {
        match self.outcome {
            Outcome::Chosen { rule, .. } => format!("{}: {}", rule.words(), self.reason(rule)),
            Outcome::None { error } => match self.objection_to_named() {
                Some(reason) => {
                    format!("the sender that the request names can't send it: {reason}")
                }
                None => format!("no sender: {}", error.title()),
            },
        }
    }

    /// Why the sender that the request names can't have the message; `None` where it can, or where none
    /// is named.
    pub fn objection_to_named(&self) -> Option<String> {
        let is_named = self.path.first().map(|step| step.rule) == Some(Rule::ExplicitFrom);
        if !is_named || self.chosen().is_some() {
            return None;
        }
        let listed = self.removed.iter().map(|removed| removed.rule);
        let mut rules = listed.chain(self.unlisted.iter().map(|(rule, _)| *rule));
        let rule = rules.find(|rule| *rule != Rule::NotNamed)?;
        Some(self.reason(rule))
    }

    /// Every candidate and its fate: the winner first, or who was chosen and failed; then the others
    /// in pool order, then those that have left the pool since.
    pub fn explain(&self, pool: &Pool) -> Vec<Candidate> {
        let candidate = |sender, outcome, rule| Candidate {
            sender,
            outcome,
            rule,
            reason: self.reason(rule),
        };
        let mut removed: Vec<_> = self.removed.iter().collect();
        removed.sort_by_key(|removed| {
            let position = pool.get(removed.sender).map(|sender| sender.position);
            let is_other = !removed.rule.is_after_the_choice();
            (is_other, position.is_none(), position, removed.sender)
        });
        let winner = match self.outcome {
            Outcome::Chosen { sender, rule } => {
                Some(candidate(sender, CandidateOutcome::Chosen, rule))
            }
            Outcome::None { .. } => None,
        };
        let losers = removed
            .into_iter()
            .map(|removed| candidate(removed.sender, CandidateOutcome::Removed, removed.rule));
        winner.into_iter().chain(losers).collect()
    }

    /// Why this rule chose or removed a sender here.
    pub fn reason(&self, rule: Rule) -> String {
        let country = self.recipient_country.map_or_else(
            || "the recipient's country".to_owned(),
            |country| country.to_string(),
        );
        let area_code = self.recipient_area_code.map_or_else(
            || "the recipient's".to_owned(),
            |area_code| area_code.to_string(),
        );
        // Asks everybody who lost, so it is asked of the winner's rule only.
        let contenders = || self.contenders(rule);
        match rule {
            Rule::ExplicitFrom => "the request names it".to_owned(),
            Rule::StickySender => "this recipient knows it from earlier messages".to_owned(),
            Rule::ShortCode => format!("a short code of {country} comes before all others"),
            Rule::DestinationAlpha => format!("it is the alpha sender for {country}"),
            Rule::AlphaSender => format!("{country} supports it"),
            Rule::CountryGeomatch => format!("it is a number of {country}"),
            Rule::UsFallback => format!("no number of {country} can take it, the US is next"),
            Rule::AnyCountry => format!("no number of {country} or the US can take it"),
            Rule::AreaCodeMatch => format!("it has the recipient's area code {area_code}"),
            Rule::AreaCodeOverlay => format!("its area code overlays {area_code}"),
            Rule::FewestMappings => {
                format!("it has the fewest sticky recipients of {}", contenders())
            }
            Rule::Idle => format!("it is the idle one of {}", contenders()),
            Rule::EarliestDrain => format!("its queue is the first of {} to drain", contenders()),
            Rule::LeastRecentlyUsed => format!("it rested longest of {}", contenders()),
            Rule::PoolOrder => format!("it is the first in the pool of {} alike", contenders()),
            Rule::NotNamed => "the request names another sender".to_owned(),
            Rule::OtherChannel => "it belongs to another channel than the recipient".to_owned(),
            Rule::NotUsable => "it is suspended, being ported or not registered yet".to_owned(),
            Rule::Suspended => objection(SenderStatus::Suspended),
            Rule::Porting => objection(SenderStatus::Porting),
            Rule::Pending => objection(SenderStatus::Pending),
            Rule::ShortCodeOfOtherCountry => {
                format!("a short code of another country cannot reach {country}")
            }
            Rule::AlphaNotSupported => format!("{country} is not known to support alpha senders"),
            Rule::AlphaOfOtherCountry => {
                format!("it is the alpha sender for another country than {country}")
            }
            Rule::AlphaWithoutMedia => "an alpha sender carries no media".to_owned(),
            Rule::NoSms => "it has no SMS capability".to_owned(),
            Rule::NoMms => "it has no MMS capability".to_owned(),
            Rule::MmsNotRouted => format!("its MMS cannot reach {country}"),
            Rule::NotSticky => "this recipient knows another sender".to_owned(),
            Rule::NetworkNotServed => match self.recipient_network {
                Some(network) => format!("it does not serve the recipient's network {network}"),
                None => "it does not serve the recipient's network".to_owned(),
            },
            Rule::ShortCodePreferred => format!("a short code of {country} comes first"),
            Rule::DestinationAlphaPreferred => {
                format!("the alpha sender for {country} comes before the general one")
            }
            Rule::AlphaPreferred => format!("the alpha sender comes first, {country} supports it"),
            Rule::OtherCountry => match self.path.first().map(|step| step.rule) {
                Some(Rule::UsFallback) => format!("no number of {country}, the US comes next"),
                _ => format!("it is no number of {country}"),
            },
            Rule::OtherAreaCode => format!("its area code does not match {area_code}"),
            Rule::QueueFull => "its queue is full".to_owned(),
            Rule::OwnNumber => "it is the recipient's own number".to_owned(),
            Rule::DailyCapReached => "its daily cap leaves no room for this message".to_owned(),
            Rule::MoreMappings => "it has more sticky recipients".to_owned(),
            Rule::Busy => "messages wait in its queue, and another is idle".to_owned(),
            Rule::LaterDrain => "its queue drains later".to_owned(),
            Rule::MoreRecentlyUsed => "it was used more recently".to_owned(),
            Rule::LaterInPool => "it is alike, and later in the pool".to_owned(),
            Rule::NotRegistered => {
                format!("it is not registered in {country}, and such messages are refused")
            }
            Rule::NoRoute => "no route leads from it to the recipient".to_owned(),
            Rule::MediaNotCarried if self.is_converted_to_sms => {
                "its media would go out as a link, and links are not made yet".to_owned()
            }
            Rule::MediaNotCarried => "no carrier takes media yet".to_owned(),
            Rule::OptedOut => "the recipient has opted out of its messages".to_owned(),
        }
    }

    /// How many senders a rule of the scaler chose from: the winner, and those that no rule before it
    /// had removed.
    fn contenders(&self, rule: Rule) -> u32 {
        let losers = Order::losers_of(rule);
        let listed = self.removed.iter().map(|removed| (removed.rule, 1));
        let all = listed.chain(self.unlisted.iter().copied());
        1 + all
            .filter(|(rule, _)| losers.contains(rule))
            .map(|(_, count)| count)
            .sum::<u32>()
    }
}

fn objection(status: SenderStatus) -> String {
    status.objection().unwrap_or_default().to_owned()
}
