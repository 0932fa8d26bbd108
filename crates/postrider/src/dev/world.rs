//! The demo world: an account with a Messaging Service and a sender of every kind.

use std::sync::Arc;

use anyhow::Context;
use postrider_core::country::Country;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{AlphaSenderId, ShortCode, WHATSAPP_PREFIX};
use postrider_core::settings::{Account, Service};
use postrider_engine::{Engine, NewPoolEntry};

use crate::first_account::FirstAccount;

/// The service is known again by its name.
const SERVICE: &str = "Demo";
const SHORT_CODE: &str = "73777";
const ALPHA_SENDER: &str = "ACME";

/// Long codes of several countries and area codes, and a toll-free number: from ranges that are kept
/// for fiction.
const NUMBERS: [&str; 9] = [
    "+14155550101",
    "+12125550102",
    "+16045550103",
    "+14165550104",
    "+447700900123",
    "+4915228817300",
    "+33639980001",
    "+61491570006",
    "+18005550105",
];

/// Writes over WhatsApp from a number that sends SMS as well.
const WHATSAPP_SENDER: &str = NUMBERS[0];

pub(super) struct World {
    pub(super) account: Arc<Account>,
    pub(super) token: String,
    pub(super) service: Arc<Service>,
    pub(super) senders: Vec<String>,
}

/// Finds the world in the engine's store, or makes it.
pub(super) async fn ensure(engine: &Engine, first_account: FirstAccount) -> anyhow::Result<World> {
    first_account.ensure(engine).await?;
    let accounts = engine.directory().accounts();
    let account = accounts.first().context("there is no account")?.clone();
    let services = engine.directory().services_of(account.sid);
    let known = services
        .into_iter()
        .find(|service| service.friendly_name == SERVICE);
    let service = match known {
        Some(service) => service,
        None => make(engine, &account).await?,
    };
    let whatsapp = format!("{WHATSAPP_PREFIX}{WHATSAPP_SENDER}");
    let senders = [SHORT_CODE, ALPHA_SENDER]
        .into_iter()
        .chain(NUMBERS)
        .map(str::to_owned)
        .chain([whatsapp]);
    Ok(World {
        token: engine.auth_token(&account),
        account,
        service,
        senders: senders.collect(),
    })
}

async fn make(engine: &Engine, account: &Account) -> anyhow::Result<Arc<Service>> {
    let name = SERVICE.to_owned();
    let service = engine
        .create_service(account.sid, |service| service.friendly_name = name)
        .await?;
    let code = ShortCode::parse(SHORT_CODE).context(SHORT_CODE)?;
    let code = engine
        .register_short_code(account.sid, code, Country::US, |_| {})
        .await?;
    let alpha = AlphaSenderId::parse(ALPHA_SENDER).context(ALPHA_SENDER)?;
    let mut entries = vec![
        NewPoolEntry::ShortCode(code.sid),
        NewPoolEntry::Alpha(alpha),
    ];
    for number in NUMBERS {
        let number = PhoneNumber::parse(number).context(number)?;
        let number = engine.register_number(account.sid, number, |_| {}).await?;
        entries.push(NewPoolEntry::Number(number.sid));
    }
    let whatsapp = PhoneNumber::parse(WHATSAPP_SENDER).context(WHATSAPP_SENDER)?;
    let whatsapp = engine.register_channel_sender(account.sid, whatsapp, |_| {});
    entries.push(NewPoolEntry::Channel(whatsapp.await?.sid));
    for entry in entries {
        engine.add_to_pool(service.sid, entry).await?;
    }
    Ok(service)
}
