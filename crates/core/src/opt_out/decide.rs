//! What a received text does: to the opt-out list, to the user who is answered, and to the webhook.
//!
//! Asked before anything else that happens to an inbound message, and whatever comes of it, the message
//! is stored and its webhook called. The table is in `docs/opt-out.md`, and a test holds it to this.

use super::defaults::{self, is_network_word};
use super::{
    AdvancedOptOut, Candidate, Keyword, KeywordType, Language, ListChange, Match, Rule, Standing,
    Wording,
};
use crate::clock::Millis;
use crate::country::Country;
use crate::select::SenderKind;

/// Between two automatic replies of one type to one user by one sender or service: two robots that answer
/// each other must come to rest.
pub const REPLY_INTERVAL_MS: Millis = 60_000;

/// A received text, and all that is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// Of a message with media, its caption.
    pub text: &'a str,
    /// The sender that the user wrote to.
    pub sender: SenderKind,
    /// The route's `network_optout`: the network above keeps a list of its own for this sender, as for
    /// toll-free numbers of the US and Canada.
    pub has_network_opt_out: bool,
    /// The user's.
    pub country: Option<Country>,
    pub handling: Handling<'a>,
    pub standing: Standing,
    pub last_replies: LastReplies,
    pub now_ms: Millis,
}

/// Whose words count.
#[derive(Clone, Copy, Debug)]
pub enum Handling<'a> {
    /// The built-in ones.
    Default(&'a Wording),
    /// Those of the service that the sender is in.
    Advanced(&'a AdvancedOptOut),
}

impl<'a> Handling<'a> {
    /// `service` is the configuration of the service that the sender is in, if it has one.
    pub fn of(service: Option<&'a AdvancedOptOut>, wording: &'a Wording) -> Self {
        match service {
            Some(advanced) if advanced.is_enabled => Self::Advanced(advanced),
            Some(_) | None => Self::Default(wording),
        }
    }
}

/// When the user was last answered automatically, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastReplies {
    pub stop_ms: Option<Millis>,
    pub start_ms: Option<Millis>,
    pub help_ms: Option<Millis>,
}

impl LastReplies {
    pub fn of(&self, kind: KeywordType) -> Option<Millis> {
        match kind {
            KeywordType::Stop => self.stop_ms,
            KeywordType::Start => self.start_ms,
            KeywordType::Help => self.help_ms,
        }
    }

    pub fn set(&mut self, kind: KeywordType, at_ms: Millis) {
        let last = match kind {
            KeywordType::Stop => &mut self.stop_ms,
            KeywordType::Start => &mut self.start_ms,
            KeywordType::Help => &mut self.help_ms,
        };
        *last = Some(at_ms);
    }
}

/// What a keyword does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<'a> {
    pub kind: KeywordType,
    pub change: ListChange,
    pub reply: Reply<'a>,
    /// `OptOutType` for the webhook.
    pub opt_out_type: Option<KeywordType>,
    /// For the list's record of causes, with the two below.
    pub rule: Rule,
    pub keyword: &'a Keyword,
    pub language: Language,
}

/// The automatic reply: from the sender that was written to, exempt from the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    Text(&'a str),
    Silent(Silence),
}

/// Why a keyword is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// STOP again: its one confirmation was given.
    AlreadyOptedOut,
    /// HELP of a user who has opted out.
    OptedOut,
    /// The same was answered less than [`REPLY_INTERVAL_MS`] ago.
    TooSoon,
    /// The network answers itself, or would not deliver ours.
    Network,
}

impl Silence {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyOptedOut => "already_opted_out",
            Self::OptedOut => "opted_out",
            Self::TooSoon => "too_soon",
            Self::Network => "network",
        }
    }
}

/// What a received text does; `None` for an ordinary text.
pub fn decide<'a>(inbound: &Inbound<'a>) -> Option<Outcome<'a>> {
    if !is_handled(inbound) {
        return None;
    }
    let candidate = Candidate::of(inbound.text)?;
    let found = find(inbound, &candidate)?;
    let (change, reply) = match found.kind {
        KeywordType::Stop => stop(inbound, &found),
        KeywordType::Start => start(inbound, &found),
        KeywordType::Help => (ListChange::None, help(inbound, &found)),
    };
    Some(Outcome {
        kind: found.kind,
        change,
        reply: not_too_soon(inbound, found.kind, reply),
        opt_out_type: match inbound.handling {
            Handling::Default(_) => None,
            Handling::Advanced(_) => Some(found.kind),
        },
        rule: found.rule,
        keyword: found.keyword,
        language: found.language,
    })
}

/// The built-in keywords are for numbers. The programs behind short codes answer for themselves, as they
/// were registered with the carriers; WhatsApp has its own way to block a sender.
fn is_handled(inbound: &Inbound<'_>) -> bool {
    match inbound.sender {
        SenderKind::LongCode | SenderKind::TollFree => true,
        SenderKind::ShortCode | SenderKind::WhatsApp => {
            matches!(inbound.handling, Handling::Advanced(_))
        }
        // Nobody can write to one.
        SenderKind::Alpha | SenderKind::DestinationAlpha => false,
    }
}

fn find<'a>(inbound: &Inbound<'a>, candidate: &Candidate) -> Option<Match<'a>> {
    match inbound.handling {
        Handling::Advanced(advanced) => advanced.find(candidate, inbound.country),
        Handling::Default(wording) => {
            let row = defaults::find(candidate)?;
            // YES answers some question of the sender's, unless there is an opt-out that it could undo.
            let could_undo = inbound.standing.is_blocked() && !is_network_decided(inbound);
            if row.needs_opt_out && !could_undo {
                return None;
            }
            Some(Match {
                kind: row.kind,
                keyword: &row.keyword,
                language: row.language,
                message: wording.of(row.kind),
                rule: Rule::DefaultKeyword,
            })
        }
    }
}

/// Whether the network above has its own list, which is for toll-free numbers only.
fn is_network_decided(inbound: &Inbound<'_>) -> bool {
    inbound.has_network_opt_out && inbound.sender == SenderKind::TollFree
}

fn stop<'a>(inbound: &Inbound<'_>, found: &Match<'a>) -> (ListChange, Reply<'a>) {
    if inbound.standing.home {
        return (ListChange::None, Reply::Silent(Silence::AlreadyOptedOut));
    }
    let reply = if is_network_decided(inbound) && is_network_word(found.keyword) {
        Reply::Silent(Silence::Network)
    } else {
        Reply::Text(found.message)
    };
    (ListChange::Block, reply)
}

fn start<'a>(inbound: &Inbound<'_>, found: &Match<'a>) -> (ListChange, Reply<'a>) {
    let is_blocked = inbound.standing.is_blocked();
    if is_network_decided(inbound) {
        if !is_network_word(found.keyword) && is_blocked {
            // The network would go on blocking: the list must not say otherwise.
            return (ListChange::None, Reply::Silent(Silence::Network));
        }
        if let Handling::Default(_) = inbound.handling {
            return (unblock_if(is_blocked), Reply::Silent(Silence::Network));
        }
    }
    (unblock_if(is_blocked), Reply::Text(found.message))
}

fn unblock_if(is_blocked: bool) -> ListChange {
    if is_blocked {
        ListChange::Unblock
    } else {
        ListChange::None
    }
}

fn help<'a>(inbound: &Inbound<'_>, found: &Match<'a>) -> Reply<'a> {
    if inbound.standing.is_blocked() {
        Reply::Silent(Silence::OptedOut)
    } else {
        Reply::Text(found.message)
    }
}

fn not_too_soon<'a>(inbound: &Inbound<'_>, kind: KeywordType, reply: Reply<'a>) -> Reply<'a> {
    // The clock may have been set back: that is no reason to answer at once, nor never again.
    let is_soon =
        |last_ms: Millis| inbound.now_ms.abs_diff(last_ms) < REPLY_INTERVAL_MS.unsigned_abs();
    match reply {
        Reply::Text(_) if inbound.last_replies.of(kind).is_some_and(is_soon) => {
            Reply::Silent(Silence::TooSoon)
        }
        Reply::Text(_) | Reply::Silent(_) => reply,
    }
}
