//! `/x/v1/OptOuts`: who wants no messages from whom, what made it so, and files of it.
//!
//! An entry is named exactly: a sender's own is not its service's. Nothing is ever deleted; what takes
//! an entry out is an opt-in.

mod csv;
mod export;
mod import;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::opt_out::{Language, Rule, Scope};
use postrider_core::sid::{AccountSid, Id, OptOutSid};
use postrider_engine::Breadth;
use postrider_store::{Cursor, OptOutCause, OptOutEntry, OptOutEvent, OptOutFilter, OptOutSource};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::consent::{self, ConsentFields, Flaw};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;
use crate::page::{PageRequest, Start};
use crate::reply::{Answer, Reply};

/// Events of a user that can be looked through: who changes their mind more often is a robot.
const HISTORY_MAX: usize = 1_000;

const NOTE_MAX: usize = 500;

pub(super) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    match *path {
        [] => collection(call).await,
        ["History"] => history(call).await,
        ["Import"] => import::create(call),
        ["Imports"] => import::list(call),
        ["Imports", sid] => import::instance(call, sid),
        ["Export"] => export::answer(call),
        [sid] => instance(call, sid).await,
        _ => Err(Refusal::not_found()),
    }
}

async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Get => list(call).await,
        Method::Post => add(call).await,
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    let sid: OptOutSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let (engine, account) = (call.engine(), &call.caller.account);
    let (is_opt_out, cause) = match call.method {
        Method::Get => {
            let entry = engine.opt_out(account, sid).await?;
            return Ok(Reply::ok(&EntryJson::new(call, &entry)));
        }
        Method::Post => {
            let form = call.form()?;
            let status = consent::read_status(form.required("Status")?);
            (status.ok_or_else(|| flawed(Flaw::Status))?, cause(&form)?)
        }
        Method::Delete => (false, OptOutCause::of(OptOutSource::Others)),
        Method::Other => return Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    };
    let actor = call.caller.actor();
    let entry = engine
        .change_opt_out(account, &actor, sid, is_opt_out, cause)
        .await?;
    match call.method {
        Method::Delete => Ok(Reply::no_content()),
        _ => Ok(Reply::ok(&EntryJson::new(call, &entry))),
    }
}

async fn list(call: &Call<'_>) -> Answer {
    let query = call.query()?;
    let filters = ["SenderId", "ContactId", "Status"];
    let request = PageRequest::new("/v1/OptOuts".to_owned(), &query, &filters)?;
    let filter = filter(call, &query)?;
    let cursor = match request.start {
        Start::Newest => Cursor::Start,
        Start::After(key) => Cursor::After(Id::from_u128(key)),
        Start::Before(key) => Cursor::Before(Id::from_u128(key)),
    };
    let limit = request.probe();
    let entries = match filter {
        Some(filter) => call.engine().opt_outs(filter, cursor, limit).await?,
        None => Vec::new(),
    };
    let page = request.page(entries, |entry| entry.id.as_u128());
    let shown = page.map(|entry| EntryJson::new(call, entry));
    Ok(Reply::ok(&shown.in_v1("opt_outs", call.base)))
}

/// Which entries are asked for; `None` where there can be none, because there is no such sender.
fn filter(call: &Call<'_>, query: &Form<'_>) -> Result<Option<OptOutFilter>, Refusal> {
    let account = &call.caller.account;
    let scope = match query.text("SenderId") {
        None => None,
        Some(text) => {
            let owner = consent::read_owner(text).ok_or_else(|| flawed(Flaw::SenderId))?;
            let Some(scope) = call.engine().list_scope(account, &owner) else {
                return Ok(None);
            };
            Some(scope)
        }
    };
    let contact = query.text("ContactId").map(|text| {
        let contact = consent::read_contact(text);
        contact.ok_or_else(|| flawed(Flaw::ContactId))
    });
    let status = query.text("Status").map(|text| {
        let status = consent::read_status(text);
        status.ok_or_else(|| flawed(Flaw::Status))
    });
    Ok(Some(OptOutFilter {
        account: account.no,
        scope,
        user: contact.transpose()?.map(|(_, user)| user),
        is_blocked: status.transpose()?,
    }))
}

/// The same again changes nothing and shows what is there.
async fn add(call: &Call<'_>) -> Answer {
    let form = call.form()?;
    let fields = ConsentFields {
        contact_id: form.required("ContactId")?,
        sender_id: form.required("SenderId")?,
        status: form.text("Status").unwrap_or("opt-out"),
        source: form.text("Source").unwrap_or_default(),
        date_of_consent: form.text("DateOfConsent").unwrap_or_default(),
    };
    let mut given = consent::read(fields).map_err(|flaws| {
        let texts: Vec<_> = flaws.into_iter().map(Flaw::text).collect();
        invalid(texts.join("; "))
    })?;
    given.note = note(&form)?;
    let (engine, account) = (call.engine(), &call.caller.account);
    let actor = call.caller.actor();
    let recorded = engine
        .record_consents(
            account,
            &actor,
            Breadth::Entry,
            std::slice::from_ref(&given),
        )
        .await?;
    let changed = match recorded.first() {
        Some(Ok(changed)) => *changed,
        Some(Err(unknown)) => return Err(invalid(unknown.to_string())),
        None => return Err(ErrorCode::InternalError.into()),
    };
    let entry = engine.opt_out_of(account, &given).await?;
    let entry = entry.ok_or(ErrorCode::InternalError)?;
    let json = EntryJson::new(call, &entry);
    Ok(if changed {
        Reply::created(&json)
    } else {
        Reply::ok(&json)
    })
}

/// What is given beside the status.
fn cause(form: &Form<'_>) -> Result<OptOutCause, Refusal> {
    let source = match form.text("Source") {
        None => OptOutSource::Others,
        Some(text) => consent::read_source(text).ok_or_else(|| flawed(Flaw::Source))?,
    };
    let date = form.text("DateOfConsent").unwrap_or_default();
    Ok(OptOutCause {
        note: note(form)?,
        consent_ms: consent::read_date(date).map_err(flawed)?,
        ..OptOutCause::of(source)
    })
}

fn note(form: &Form<'_>) -> Result<Option<Box<str>>, Refusal> {
    let note = form.text("Note");
    if note.is_some_and(|note| note.chars().count() > NOTE_MAX) {
        return Err(invalid(format!("'Note' has at most {NOTE_MAX} characters")));
    }
    Ok(note.map(Into::into))
}

async fn history(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let query = call.query()?;
    let contact = consent::read_contact(query.required("ContactId")?);
    let (channels, user) = contact.ok_or_else(|| flawed(Flaw::ContactId))?;
    let request = PageRequest::new("/v1/OptOuts/History".to_owned(), &query, &["ContactId"])?;
    let account = &call.caller.account;
    let events = call.engine().opt_out_history(account, user, HISTORY_MAX);
    let mut events = events.await?;
    events.retain(|event| channels.is_none_or(|channels| event.key.channels == channels));
    let page = request.page_of(events, |event| event.id.as_u128());
    let shown = page.map(|event| EventJson::new(call, event));
    Ok(Reply::ok(&shown.in_v1("events", call.base)))
}

fn flawed(flaw: Flaw) -> Refusal {
    invalid(flaw.text())
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

/// The SID of a service or the address of a sender, also of one that is gone.
fn sender_id(call: &Call<'_>, scope: Scope) -> Option<String> {
    match scope {
        Scope::Service(sid) => Some(sid.to_string()),
        Scope::Sender(no) => {
            let sender = call.directory().sender(no)?;
            Some(sender.address.to_string())
        }
    }
}

/// A change and its cause.
#[derive(Serialize)]
struct EventJson<'a> {
    sender_id: Option<String>,
    contact_id: String,
    channel_group: &'static str,
    /// From then on.
    status: &'static str,
    source: &'static str,
    message_sid: Option<String>,
    keyword: Option<&'a str>,
    language: Option<&'static str>,
    rule: Option<&'static str>,
    actor: Option<&'a str>,
    note: Option<&'a str>,
    date_of_consent: Option<Iso8601>,
    date: Iso8601,
}

impl<'a> EventJson<'a> {
    fn new(call: &Call<'_>, event: &'a OptOutEvent) -> Self {
        let cause = &event.cause;
        let key = &event.key;
        Self {
            sender_id: sender_id(call, key.scope),
            contact_id: consent::write_contact(key.channels, key.user),
            channel_group: key.channels.as_str(),
            status: consent::write_status(event.is_blocked),
            source: cause.source.as_str(),
            message_sid: cause.message.map(|sid| sid.to_string()),
            keyword: cause.keyword.as_deref(),
            language: cause.language.map(Language::key),
            rule: cause.rule.map(Rule::as_str),
            actor: cause.actor.as_deref(),
            note: cause.note.as_deref(),
            date_of_consent: cause.consent_ms.map(Iso8601),
            date: Iso8601(event.id.created_ms()),
        }
    }
}

/// An entry as its last change left it.
#[derive(Serialize)]
struct EntryJson<'a> {
    sid: OptOutSid,
    account_sid: AccountSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    #[serde(flatten)]
    last: EventJson<'a>,
    url: String,
    links: LinksJson,
}

#[derive(Serialize)]
struct LinksJson {
    history: String,
}

impl<'a> EntryJson<'a> {
    fn new(call: &Call<'_>, entry: &'a OptOutEntry) -> Self {
        let sid = OptOutSid(entry.id);
        let last = EventJson::new(call, &entry.last);
        let contact = utf8_percent_encode(&last.contact_id, NON_ALPHANUMERIC);
        Self {
            sid,
            account_sid: call.caller.account.sid,
            date_created: Iso8601(entry.id.created_ms()),
            date_updated: Iso8601(entry.updated_ms),
            links: LinksJson {
                history: format!("{}/v1/OptOuts/History?ContactId={contact}", call.base),
            },
            url: format!("{}/v1/OptOuts/{sid}", call.base),
            last,
        }
    }
}
