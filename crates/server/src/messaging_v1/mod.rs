//! Messaging v1: services, their sender pools, and their registrations.
//!
//! Dates are ISO 8601, URLs are absolute and repeat the base that the caller used. Paths name no
//! account: the credential's own is meant.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::settings::{Capabilities, PoolMember, Service};
use postrider_core::sid::ServiceSid;
use postrider_engine::NewPoolEntry;
use serde::Serialize;

use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::form::Form;
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

mod alpha_senders;
mod brands;
mod channel_senders;
mod phone_numbers;
mod services;
mod short_codes;
mod us_a2p;
mod usecases;

use alpha_senders::{AlphaSenders, DestinationAlphaSenders};
use channel_senders::ChannelSenders;
use phone_numbers::PhoneNumbers;
use short_codes::ShortCodes;

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    let (sid, path) = match *path {
        ["v1", "Services"] => return services::collection(call).await,
        ["v1", "Services", "Usecases"] => return usecases::of_services(call),
        ["v1", "Services", "PreregisteredUsa2p"] => return us_a2p::preregistered(call).await,
        ["v1", "Services", sid, ref path @ ..] => (sid, path),
        ["v1", "a2p", "BrandRegistrations"] => return brands::collection(call).await,
        ["v1", "a2p", "BrandRegistrations", sid] => return brands::instance(call, sid).await,
        _ => return Err(Refusal::not_found()),
    };
    let service = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match *path {
        [] => services::instance(call, &service).await,
        [pool, ref entry @ ..] => match pool {
            "PhoneNumbers" => route_pool::<PhoneNumbers>(call, &service, entry).await,
            "ShortCodes" => route_pool::<ShortCodes>(call, &service, entry).await,
            "AlphaSenders" => route_pool::<AlphaSenders>(call, &service, entry).await,
            "DestinationAlphaSenders" => {
                route_pool::<DestinationAlphaSenders>(call, &service, entry).await
            }
            "Compliance" => us_a2p::route(call, &service, entry).await,
            "ChannelSenders" => route_pool::<ChannelSenders>(call, &service, entry).await,
            _ => Err(Refusal::not_found()),
        },
    }
}

/// The service, if it is the caller's.
fn find(call: &Call<'_>, sid: &str) -> Option<Arc<Service>> {
    let sid: ServiceSid = sid.parse().ok()?;
    call.directory()
        .service(sid)
        .filter(|service| service.account == call.caller.account.sid)
}

/// One kind of sender in a pool: all that differs between the five resources.
trait PoolResource {
    /// Last part of the path, as in `PhoneNumbers`.
    const PATH: &'static str;
    /// Key of the list.
    const LIST_KEY: &'static str;
    const FILTERS: &'static [&'static str];

    type Json<'a>: Serialize;

    /// Reads what a create request wants to add.
    fn read(form: &Form<'_>) -> Result<NewPoolEntry, Refusal>;

    /// The member as this resource shows it; `None` when it is another kind of sender, or has
    /// just left the account.
    fn show<'a>(shown: &Shown<'_>, member: &'a PoolMember) -> Option<Self::Json<'a>>;

    fn is_listed(_member: &PoolMember, _query: &Form<'_>) -> bool {
        true
    }
}

/// What every shape of a pool entry needs beside the entry.
struct Shown<'a> {
    call: &'a Call<'a>,
    service: &'a Service,
    path: &'static str,
}

impl Shown<'_> {
    fn url(&self, sid: impl std::fmt::Display) -> String {
        let Self {
            call,
            service,
            path,
        } = self;
        format!("{}/v1/Services/{}/{path}/{sid}", call.base, service.sid)
    }
}

async fn route_pool<R: PoolResource>(call: &Call<'_>, service: &Service, entry: &[&str]) -> Answer {
    let shown = Shown {
        call,
        service,
        path: R::PATH,
    };
    match *entry {
        [] => match call.method {
            Method::Post => create::<R>(&shown).await,
            Method::Get => list::<R>(&shown),
            Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
        },
        [sid] => {
            let members = call.directory().pool_members(service.sid);
            // Callers may write the digits of a SID in either case.
            let member = members
                .iter()
                .find(|member| member.sender.to_string().eq_ignore_ascii_case(sid))
                .ok_or(ErrorCode::NotFound)?;
            let json = R::show(&shown, member).ok_or(ErrorCode::NotFound)?;
            match call.method {
                Method::Get => Ok(Reply::ok(&json)),
                Method::Delete => {
                    let sender = member.sender.to_string();
                    call.engine().remove_from_pool(service.sid, &sender).await?;
                    Ok(Reply::no_content())
                }
                Method::Post | Method::Other => Err(Refusal::method_not_allowed("GET, DELETE")),
            }
        }
        _ => Err(Refusal::not_found()),
    }
}

async fn create<R: PoolResource>(shown: &Shown<'_>) -> Answer {
    let entry = R::read(&shown.call.form()?)?;
    let engine = shown.call.engine();
    let member = engine.add_to_pool(shown.service.sid, entry).await?;
    let json = R::show(shown, &member).ok_or(ErrorCode::NotFound)?;
    Ok(Reply::created(&json))
}

fn list<R: PoolResource>(shown: &Shown<'_>) -> Answer {
    let query = shown.call.query()?;
    let path = format!("/v1/Services/{}/{}", shown.service.sid, R::PATH);
    let request = PageRequest::new(path, &query, R::FILTERS)?;
    let mut members = shown.call.directory().pool_members(shown.service.sid);
    members.retain(|member| R::is_listed(member, &query) && R::show(shown, member).is_some());
    // Newest first; the position is the order of joining.
    members.reverse();
    let page = request.page_of(members, |member| u128::from(member.position));
    let json = page.map(|member| R::show(shown, member));
    Ok(Reply::ok(&json.in_v1(R::LIST_KEY, shown.call.base)))
}

/// Capabilities as v1 lists them.
fn capability_names(capabilities: Capabilities) -> Vec<&'static str> {
    [
        (capabilities.mms, "MMS"),
        (capabilities.sms, "SMS"),
        (capabilities.voice, "Voice"),
    ]
    .into_iter()
    .filter_map(|(has, name)| has.then_some(name))
    .collect()
}
