//! `/x/v1/Explain`: why a message came from the sender it came from, or would come from.
//!
//! `GET …/{MessageSid}` tells what was stored with the message when its sender was chosen, and how often
//! it went to which carrier; nothing is decided again. Addresses are today's: a sender that left the
//! pool since is still named. `POST` asks for a message that does not exist, decides as if it did, and
//! changes nothing. With `Accept: text/plain` the answer is for people to read.

mod text;

use std::borrow::Cow;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Direction, Message, Status};
use postrider_core::select::{Broken, Candidate, Decision, Outcome, Step};
use postrider_core::sender::SenderAddress;
use postrider_core::sid::{MessageSid, ServiceSid};
use serde::{Serialize, Serializer};

use super::recipient_network::{RecipientNetworkJson, supposed};
use super::sender::{SenderJson, Senders};
use crate::api_v2010::read_create;
use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let sid: MessageSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let account = call.caller.account.no;
    let message = call.engine().message(account, sid).await?;
    let decision = message.decision.as_deref().map(Decision::from_bytes);
    let decision = decision.transpose().map_err(|error| {
        tracing::error!(%sid, %error, "a stored decision cannot be read");
        ErrorCode::InternalError
    })?;
    let senders = Senders::of(call.directory(), message.service);
    let explanation = ExplanationJson::new(&senders, &message, decision.as_ref());
    Ok(answer(call, &explanation))
}

/// `MessagingServiceSid` and `To`, whatever else a message has that may matter, and `RecipientNetwork`.
pub(super) async fn collection(call: &Call<'_>) -> Answer {
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let mut request = read_create(&call.body)?;
    if request.body.is_none() && request.media_urls.is_empty() {
        // Any text will do: its length matters to queues that are nearly full only.
        request.body = Some("?".to_owned());
    }
    request.recipient_network = supposed(&call.form()?)?;
    let account = &call.caller.account;
    let preview = call.engine().preview(account, &request).await?;
    let service = preview.message.service;
    if service.is_none() {
        let text = "'MessagingServiceSid' is missing: without a service there is nothing to choose";
        return Err(Fault::because(ErrorCode::InvalidParameter, text).into());
    }
    let decision = preview.decision.as_ref();
    let senders = Senders::of_pool(call.directory(), service, preview.pool.clone());
    let explanation = ExplanationJson {
        message_sid: None,
        messaging_service_sid: service,
        to: preview.message.shown_to(),
        from: preview.message.from.as_deref(),
        error_code: preview.message.error.map(ErrorCode::code),
        carrier: None,
        attempts: 0,
        possible_duplicate: false,
        recipient_network: preview.network.map(RecipientNetworkJson::from),
        decision: decision.map(DecisionJson::new),
        undecided: Undecided::of(&preview.message, decision),
        candidates: decision.map_or_else(Vec::new, |decision| candidates(decision, &senders)),
    };
    Ok(answer(call, &explanation))
}

/// For people, if the request prefers that.
fn answer(call: &Call<'_>, explanation: &ExplanationJson<'_>) -> Reply {
    if call.wants_text() {
        return Reply::text(200, "text/plain; charset=utf-8", explanation.to_string());
    }
    Reply::ok(explanation)
}

#[derive(Serialize)]
struct ExplanationJson<'a> {
    /// Null for a message that does not exist.
    message_sid: Option<String>,
    messaging_service_sid: Option<ServiceSid>,
    /// As the message shows it: masked where it asked for that.
    to: Cow<'a, str>,
    from: Option<&'a str>,
    /// What the message fails with, also where a sender was chosen: no route may lead from it.
    error_code: Option<u32>,
    /// The carrier that took it last, by its name in the configuration.
    carrier: Option<&'a str>,
    attempts: u16,
    possible_duplicate: bool,
    /// What a lookup says today; null for a message that exists, whose decision has what it said then,
    /// and where nobody was asked.
    recipient_network: Option<RecipientNetworkJson>,
    /// Null where none was made.
    decision: Option<DecisionJson>,
    /// Why none was made; null where one was.
    undecided: Option<Undecided>,
    candidates: Vec<CandidateJson>,
}

#[derive(Serialize)]
pub(super) struct DecisionJson {
    /// In one line.
    summary: String,
    /// The winner's rule; null without a winner.
    rule: Option<&'static str>,
    error_code: Option<u32>,
    country: Option<String>,
    area_code: Option<String>,
    /// The recipient's, where it mattered and was known.
    network: Option<String>,
    /// Nobody could carry its media, so senders of text were candidates.
    is_converted_to_sms: bool,
    warning_code: Option<u32>,
    /// What becomes of the recipient's sticky mapping.
    sticky: &'static str,
    /// Why the mapping there was no longer holds; null where it does.
    sticky_reason: Option<&'static str>,
    #[serde(skip)]
    sticky_words: Option<&'static str>,
    /// How the choice narrowed down.
    steps: Vec<StepJson>,
    /// Candidates that lost and are not listed one by one, by rule.
    unlisted: Vec<UnlistedJson>,
}

#[derive(Serialize)]
struct StepJson {
    rule: &'static str,
    left: u32,
}

#[derive(Serialize)]
struct UnlistedJson {
    rule: &'static str,
    count: u32,
}

#[derive(Serialize)]
pub(super) struct CandidateJson {
    sender: Option<SenderAddress>,
    #[serde(flatten)]
    about: SenderJson,
    /// It is not in the pool today.
    has_left: bool,
    outcome: &'static str,
    rule: &'static str,
    reason: String,
}

impl<'a> ExplanationJson<'a> {
    fn new(senders: &Senders<'_>, message: &'a Message, decision: Option<&Decision>) -> Self {
        Self {
            message_sid: Some(message.sid.to_string()),
            messaging_service_sid: message.service,
            to: message.shown_to(),
            from: message.from.as_deref(),
            error_code: message.error.map(ErrorCode::code),
            carrier: message.carrier.as_deref(),
            attempts: message.attempts,
            possible_duplicate: message.is_possible_duplicate,
            recipient_network: None,
            decision: decision.map(DecisionJson::new),
            undecided: Undecided::of(message, decision),
            candidates: decision.map_or_else(Vec::new, |decision| candidates(decision, senders)),
        }
    }
}

/// Why no sender was chosen for a message.
#[derive(Clone, Copy)]
enum Undecided {
    Inbound,
    /// From a sender of no service.
    Reply,
    NotDue,
    Canceled,
    /// The request named a sender, and no service.
    Named,
    FailedBefore,
}

impl Undecided {
    /// `None` where one was.
    fn of(message: &Message, decision: Option<&Decision>) -> Option<Self> {
        if decision.is_some() {
            return None;
        }
        Some(match (message.direction, message.status) {
            (Direction::Inbound, _) => Self::Inbound,
            (Direction::OutboundReply, _) => Self::Reply,
            (_, Status::Scheduled) => Self::NotDue,
            (_, Status::Canceled) => Self::Canceled,
            _ if message.service.is_none() => Self::Named,
            // A service chooses for each message that lives until then.
            _ => Self::FailedBefore,
        })
    }

    /// The stable name.
    fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Reply => "reply",
            Self::NotDue => "not_due",
            Self::Canceled => "canceled",
            Self::Named => "named",
            Self::FailedBefore => "failed_before",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Inbound => "a handset sent it",
            Self::Reply => "a reply comes from who was texted, or whom the TwiML names",
            Self::NotDue => "it is not due yet",
            Self::Canceled => "it was canceled before it was due",
            Self::Named => "the request named the sender",
            Self::FailedBefore => "it failed before a sender was chosen",
        }
    }
}

impl Serialize for Undecided {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl DecisionJson {
    pub(super) fn new(decision: &Decision) -> Self {
        let (rule, error) = match decision.outcome {
            Outcome::Chosen { rule, .. } => (Some(rule.as_str()), None),
            Outcome::None { error } => (None, Some(error.code())),
        };
        let step = |step: &Step| StepJson {
            rule: step.rule.as_str(),
            left: step.left,
        };
        Self {
            summary: decision.summary(),
            rule,
            error_code: error,
            country: decision
                .recipient_country
                .map(|country| country.to_string()),
            area_code: decision.recipient_area_code.map(|code| code.to_string()),
            network: decision
                .recipient_network
                .map(|network| network.to_string()),
            is_converted_to_sms: decision.is_converted_to_sms,
            warning_code: decision.warning.map(ErrorCode::code),
            sticky: decision.sticky.as_str(),
            sticky_reason: decision.sticky.broken().map(Broken::as_str),
            sticky_words: decision.sticky.broken().map(Broken::words),
            steps: decision.path.iter().map(step).collect(),
            unlisted: decision
                .unlisted
                .iter()
                .map(|&(rule, count)| UnlistedJson {
                    rule: rule.as_str(),
                    count,
                })
                .collect(),
        }
    }
}

/// Every candidate and its fate, with what is known of it today.
pub(super) fn candidates(decision: &Decision, senders: &Senders<'_>) -> Vec<CandidateJson> {
    let candidates = decision.explain(senders.pool()).into_iter();
    candidates
        .map(|candidate| CandidateJson::new(senders, candidate))
        .collect()
}

impl CandidateJson {
    fn new(senders: &Senders<'_>, candidate: Candidate) -> Self {
        Self {
            sender: senders.address(candidate.sender),
            about: senders.json(candidate.sender),
            has_left: senders.has_left(candidate.sender),
            outcome: candidate.outcome.as_str(),
            rule: candidate.rule.as_str(),
            reason: candidate.reason,
        }
    }
}
