//! `postrider dev`: a demo world on the simulated carrier.
//!
//! Makes the world ([`world`]), sends a dozen messages through the same door as the API, and tells
//! the story of each ([`story`]), then of every further one, until Ctrl-C.

mod follower;
mod guide;
mod story;
mod world;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use postrider_carriers::simulator::{Behavior, Rule};
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_engine::Engine;
use tokio::net::TcpListener;

use self::follower::Follower;
use self::story::Teller;
use self::world::World;
use crate::cli::Dev;
use crate::config::Config;
use crate::ending::Opened;
use crate::first_account::FirstAccount;
use crate::stop::{Reason, Stop, give_up};
use crate::wiring::{Postrider, listen};
use crate::{DONE, output, sdk_proxy};

/// How often the store is asked what has become of the messages.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Where the messages of the demo go, and what they say. All numbers are from ranges that their
/// countries keep for fiction, or have not given out.
const MESSAGES: [(&str, &str); 12] = [
    ("+14155550199", "Your Owl Shoes code is 482913"),
    // Typographic quotes, which smart encoding replaces.
    (
        "+12125550177",
        "“Table for two” is booked – see you at 7 p.m.",
    ),
    (
        "+447700900199",
        "Your parcel arrives today between 2 and 4 p.m.",
    ),
    (
        "+4915228817386",
        "Ihr Paket kommt heute zwischen 14 und 16 Uhr. Schöne Grüße!",
    ),
    (
        "+33639980123",
        "Votre colis est livré aujourd'hui. Merci de votre fidélité !",
    ),
    ("+46701740605", "Ditt paket är på väg."),
    (
        "+61491570156",
        "Your order 4711 has left the warehouse. It travels by rail to Perth and is handed to the \
         courier there; you can follow it, choose another day or another door, all at one address.",
    ),
    ("+819000000199", "ご注文の商品を発送しました。"),
    (
        "+16045550123",
        "Your ferry leaves at 9:40 from Horseshoe Bay",
    ),
    ("+14165550144", "Your streetcar pass is ready"),
    ("+573990000199", "Su pedido llega hoy"),
    ("+27990000199", "Your order arrives today"),
];

/// A handset that is never there, so that a failure is seen too.
const UNREACHABLE: &str = "+447700900404";

/// A configuration for a server that only this machine talks to.
pub(crate) fn local(mut config: Config) -> Config {
    config.webhooks.allow_private_networks = true;
    config
}

pub(crate) async fn dev(arguments: &Dev, opened: &Opened) -> anyhow::Result<u8> {
    let first_account = FirstAccount::of_environment()?;
    let temporary = match arguments.data_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("can't make a temporary directory")?),
    };
    let directory = arguments.data_dir.as_deref();
    let directory = directory.or(temporary.as_ref().map(tempfile::TempDir::path));
    let directory = directory.unwrap_or(Path::new("data"));
    let config = local(Config::of_directory(directory)?);
    let listener = listen_somewhere(arguments.listen.as_deref(), &config).await?;

    let (door, trust) = sdk_proxy::of_directory(directory)?;
    let prepare = async |engine: &Engine| {
        let follower = Follower::start(engine).await?;
        Ok((follower, world::ensure(engine, first_account).await?))
    };
    let (postrider, (mut follower, world)) =
        Postrider::start(&config, listener, Some(door), opened, prepare).await?;
    let mut stop = Stop::listen(&postrider.engine)?;
    if let Some(simulator) = &postrider.simulator {
        let unreachable = PhoneNumber::parse(UNREACHABLE).context("a number of the demo")?;
        let fate = Behavior::Undelivered(ErrorCode::HandsetUnreachable);
        simulator.set_rule(Rule::new(unreachable, fate));
    }
    output::line(guide::heading(&world));
    send(&postrider, &world).await?;

    let mut teller = Teller::new();
    follower.take_up_new().await?;
    teller.make_room(follower.open());
    let mut is_guide_due = true;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let reason = loop {
        tokio::select! {
            _ = ticks.tick() => {}
            reason = stop.reason() => break reason,
        }
        for message in follower.look().await? {
            output::line(teller.tell(&message));
        }
        if is_guide_due && follower.is_idle() {
            is_guide_due = false;
            output::line(guide::next_steps(&world, &postrider.url, &trust));
        }
    };
    match reason {
        Reason::Signal(_) => Ok(stop.finish(postrider.stop(), DONE).await),
        Reason::Failed(reason) => Ok(give_up(&reason)),
    }
}

/// Where the caller says; else where the documentation says, or anywhere when that is taken.
async fn listen_somewhere(address: Option<&str>, config: &Config) -> anyhow::Result<TcpListener> {
    if let Some(address) = address {
        return listen(address).await;
    }
    if let Ok(listener) = listen(&config.server.listen).await {
        return Ok(listener);
    }
    let listener = listen("127.0.0.1:0").await?;
    tracing::warn!(
        "{} is taken: listening on {}",
        config.server.listen,
        listener.local_addr()?
    );
    Ok(listener)
}

/// Sends the messages of the demo as API requests would.
async fn send(postrider: &Postrider, world: &World) -> anyhow::Result<()> {
    let unreachable = (UNREACHABLE, "Your driver is at the door");
    for (to, body) in MESSAGES.into_iter().chain([unreachable]) {
        let request = CreateMessage {
            to: Some(to.to_owned()),
            messaging_service: Some(world.service.sid.to_string()),
            body: Some(body.to_owned()),
            ..CreateMessage::default()
        };
        postrider
            .engine
            .create_message(&world.account, request)
            .await?;
    }
    Ok(())
}
