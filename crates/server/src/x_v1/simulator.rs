//! `/x/v1/Simulator`: orders to the simulated carrier, and what its handsets saw.
//!
//! The carrier is the binary's; here is only its door. Without one every path is a 404.

use percent_encoding::percent_decode_str;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;
use crate::reply::{Answer, Reply};

/// What the binary offers when there is a simulated carrier.
pub trait SimulatorControl: Send + Sync {
    /// From now on messages to this handset fare so.
    fn add_rule(&self, rule: SimulatorRule);

    /// What a handset saw, newest message first.
    fn handset(&self, number: PhoneNumber) -> Handset;

    /// A handset writes to one of our senders; the error says why it can't.
    fn reply(&self, from: PhoneNumber, to: &SenderAddress, body: &str) -> Result<(), String>;
}

/// How messages to one handset will fare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatorRule {
    pub to: PhoneNumber,
    pub outcome: SimulatedOutcome,
    /// For an outcome that fails; the outcome's usual one when `None`.
    pub error: Option<ErrorCode>,
    /// For a refusal: how it may be met.
    pub class: SimulatedClass,
    /// For a throttle: segments per second that pass; 0 = none.
    pub per_second: u32,
    /// For a disconnect: how long the links stay down.
    pub down_ms: u32,
    pub delay_ms: u64,
    /// How many messages it is for; `None` = all.
    pub times: Option<u32>,
}

/// All that the simulated carrier can make of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedOutcome {
    Delivered,
    Undelivered,
    /// The carrier refuses it at once.
    Rejected,
    /// The handset gets it, the receipt is lost.
    LostReceipt,
    /// Receipts overtake the answer to the submit.
    EarlyReceipt,
    /// Each receipt comes twice.
    DuplicateReceipt,
    /// The carrier asks to slow down.
    Throttle,
    /// The carrier never answers, and the handset never gets it.
    Unknown,
    /// The carrier never answers, and the handset gets it.
    UnknownArrived,
    /// The carrier answers after it was given up, and the handset gets it.
    AnsweredLate,
    /// The links drop, with all that is unanswered.
    Disconnect,
}

impl SimulatedOutcome {
    pub const ALL: [(&'static str, Self); 11] = [
        ("delivered", Self::Delivered),
        ("undelivered", Self::Undelivered),
        ("rejected", Self::Rejected),
        ("lost_receipt", Self::LostReceipt),
        ("early_receipt", Self::EarlyReceipt),
        ("duplicate_receipt", Self::DuplicateReceipt),
        ("throttle", Self::Throttle),
        ("unknown", Self::Unknown),
        ("unknown_arrived", Self::UnknownArrived),
        ("answered_late", Self::AnsweredLate),
        ("disconnect", Self::Disconnect),
    ];

    fn name(self) -> &'static str {
        name_of(&Self::ALL, self)
    }
}

/// What may be tried after a simulated refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SimulatedClass {
    /// Nothing.
    #[default]
    Fail,
    /// The same carrier, later.
    RetrySame,
    /// The same carrier a few times, then another.
    RetrySoon,
    /// Another carrier, at once.
    RetryOther,
    /// The same, once the operator has mended the carrier's settings.
    Config,
}

impl SimulatedClass {
    /// Named as a carrier's `status` table names them.
    const ALL: [(&'static str, Self); 5] = [
        ("fail", Self::Fail),
        ("retry_same", Self::RetrySame),
        ("retry_soon", Self::RetrySoon),
        ("retry_other", Self::RetryOther),
        ("config", Self::Config),
    ];

    fn name(self) -> &'static str {
        name_of(&Self::ALL, self)
    }
}

/// How long the links stay down when nobody says how long.
const DOWN_MS: u32 = 1_000;

/// A simulated phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handset {
    pub messages: Vec<HandsetMessage>,
}

/// A message as a phone shows it: its segments joined again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandsetMessage {
    pub from: String,
    pub body: String,
    pub segments: u16,
    pub received_ms: Millis,
}

fn control<'a>(call: &'a Call<'_>) -> Result<&'a dyn SimulatorControl, Refusal> {
    call.app
        .simulator
        .as_deref()
        .ok_or_else(|| ErrorCode::NotFound.into())
}

pub(super) fn rules(call: &Call<'_>) -> Answer {
    let control = control(call)?;
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let rule = read_rule(&call.form()?)?;
    control.add_rule(rule.clone());
    let is = |outcome| rule.outcome == outcome;
    Ok(Reply::created(&RuleJson {
        to: rule.to,
        outcome: rule.outcome.name(),
        error_code: rule.error.map(ErrorCode::code),
        class: is(SimulatedOutcome::Rejected).then_some(rule.class.name()),
        per_second: is(SimulatedOutcome::Throttle).then_some(rule.per_second),
        down_ms: is(SimulatedOutcome::Disconnect).then_some(rule.down_ms),
        delay_ms: rule.delay_ms,
        times: rule.times,
    }))
}

fn read_rule(form: &Form<'_>) -> Result<SimulatorRule, Refusal> {
    let to = read_number(form.required("To")?)?;
    let outcome = one_of(&SimulatedOutcome::ALL, "Outcome", form.required("Outcome")?)?;
    let class = form
        .text("Class")
        .map(|text| one_of(&SimulatedClass::ALL, "Class", text))
        .transpose()?;
    let error = number(form, "ErrorCode")?
        .map(|code| {
            ErrorCode::try_from(code).map_err(|error| invalid(format!("'ErrorCode': {error}")))
        })
        .transpose()?;
    Ok(SimulatorRule {
        to,
        outcome,
        error,
        class: class.unwrap_or_default(),
        per_second: number(form, "PerSecond")?.unwrap_or(0),
        down_ms: number(form, "DownMs")?.unwrap_or(DOWN_MS),
        delay_ms: number(form, "DelayMs")?.unwrap_or(0).into(),
        times: number(form, "Times")?,
    })
}

/// The value that `text` names.
fn one_of<T: Copy>(all: &[(&str, T)], parameter: &str, text: &str) -> Result<T, Refusal> {
    all.iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
            invalid(format!("'{parameter}' must be one of {}", names.join(", ")))
        })
}

fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], value: T) -> &'static str {
    all.iter()
        .find(|(_, other)| *other == value)
        .map_or("", |(name, _)| name)
}

fn read_number(text: &str) -> Result<PhoneNumber, Refusal> {
    PhoneNumber::parse(text).map_err(|error| {
        Fault::because(ErrorCode::InvalidTo, format!("not a phone number: {error}")).into()
    })
}

fn number(form: &Form<'_>, name: &str) -> Result<Option<u32>, Refusal> {
    form.text(name)
        .map(|text| {
            text.parse()
                .map_err(|_| invalid(format!("'{name}' must be a whole number")))
        })
        .transpose()
}

fn invalid(text: String) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

pub(super) fn handset(call: &Call<'_>, number: &str) -> Answer {
    let control = control(call)?;
    let number = percent_decode_str(number).decode_utf8_lossy();
    match call.method {
        Method::Get => Ok(show(control, read_number(&number)?)),
        Method::Post => reply(call, control, read_number(&number)?),
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

/// Its way in is that of any inbound message, so what is answered here is only that it was sent.
fn reply(call: &Call<'_>, control: &dyn SimulatorControl, from: PhoneNumber) -> Answer {
    let form = call.form()?;
    let body = form.required("Body")?;
    let to = SenderAddress::parse(form.required("To")?);
    let ours = to.filter(|to| is_of_caller(call, to));
    let to = ours
        .ok_or_else(|| invalid("'To' must be a number or short code of this account".to_owned()))?;
    control
        .reply(from, &to, body)
        .map_err(|error| invalid(format!("'Body' can't be sent: {error}")))?;
    Ok(Reply::created(&ReplyJson { from, to, body }))
}

/// Nobody writes to the numbers of other accounts, nor to an alpha sender.
fn is_of_caller(call: &Call<'_>, to: &SenderAddress) -> bool {
    let (directory, account) = (call.directory(), call.caller.account.sid);
    match to {
        SenderAddress::Number(number) => directory
            .number_by_digits(*number)
            .is_some_and(|entry| entry.account == account),
        SenderAddress::ShortCode(code) => directory
            .short_code_by_digits(account, code, None)
            .is_some(),
        SenderAddress::WhatsApp(number) => directory
            .channel_sender_by_number(*number)
            .is_some_and(|sender| sender.account == account),
        SenderAddress::Alpha(_) => false,
    }
}

fn show(control: &dyn SimulatorControl, number: PhoneNumber) -> Reply {
    let messages = control
        .handset(number)
        .messages
        .into_iter()
        .map(|message| HandsetMessageJson {
            from: message.from,
            body: message.body,
            num_segments: message.segments,
            date_received: Iso8601(message.received_ms),
        })
        .collect();
    Reply::ok(&HandsetJson { number, messages })
}

#[derive(Serialize)]
struct RuleJson {
    to: PhoneNumber,
    outcome: &'static str,
    error_code: Option<u32>,
    class: Option<&'static str>,
    per_second: Option<u32>,
    down_ms: Option<u32>,
    delay_ms: u64,
    times: Option<u32>,
}

#[derive(Serialize)]
struct HandsetJson {
    number: PhoneNumber,
    messages: Vec<HandsetMessageJson>,
}

#[derive(Serialize)]
struct ReplyJson<'a> {
    from: PhoneNumber,
    to: SenderAddress,
    body: &'a str,
}

#[derive(Serialize)]
struct HandsetMessageJson {
    from: String,
    body: String,
    num_segments: u16,
    date_received: Iso8601,
}
