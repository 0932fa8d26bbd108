//! SIGHUP: carriers, routes, paces, what is known of networks and countries, and what senders must comply
//! with become those of the configuration, and no message is lost or refused over it. All of it or nothing.
//!
//! A carrier whose connection is configured as before goes on under its number, with the policies that
//! are written now. What is new or changed starts under a new number, and what it replaces is retired:
//! it answers for what it has, and what waited for it goes where the new routes say.

use std::collections::BTreeSet;

use postrider_carriers::CarrierNo;
use postrider_core::route::Routes;
use postrider_engine::runtime::Reconfiguration;
use postrider_engine::{Compliance, Coverage};

use crate::cli::Source;
use crate::config::{self, Config};
use crate::serve;
use crate::wiring::{self, Place, Postrider, Started, number, start_carriers};

/// Reads the configuration again. One that cannot be used, or whose carriers cannot be started,
/// changes nothing.
pub(crate) async fn reload(source: &Source, started: &Config, postrider: &mut Postrider) {
    let mut wanted = match serve::read(source) {
        Ok(wanted) => wanted,
        Err(error) => {
            tracing::error!(%error, "not reloaded");
            return;
        }
    };
    // As it was started, whatever the file says.
    wanted.server.listen.clone_from(&started.server.listen);
    if let Err(error) = take(&wanted, postrider).await {
        tracing::error!(error = %format!("{error:#}"), "not reloaded");
        return;
    }
    for note in serve::notes(&wanted) {
        tracing::warn!("{note}");
    }
    for section in needs_restart(started, &wanted) {
        tracing::warn!("reload: [{section}] takes effect at the next start");
    }
}

async fn take(wanted: &Config, postrider: &mut Postrider) -> anyhow::Result<()> {
    // First, because it is what may fail and starts nothing.
    let coverage = cover(wanted, postrider).await?;
    let Plan { mut places, routes } = plan(&postrider.places, wanted)?;
    let known = postrider.places.len();
    let clock = postrider.engine.clock().clone();
    let Started { carriers, events } = start_carriers(&mut places, known, &clock)?;
    let retired: BTreeSet<CarrierNo> = (0..)
        .zip(&places)
        .filter(|(_, place)| place.is_retired)
        .map(|(number, _)| CarrierNo(number))
        .collect();
    let reconfiguration = Reconfiguration {
        routes,
        carriers: places.iter().map(|place| place.config.policy()).collect(),
        retired,
        started: carriers,
        events,
        paces: wanted.pace.clone(),
    };
    postrider.engine.reconfigure(reconfiguration).await;
    postrider.engine.cover(coverage);
    let former = postrider.engine.comply(wanted.compliance);
    let was_retired = |index: usize| postrider.places.get(index).is_some_and(|p| p.is_retired);
    let names = |is_meant: &dyn Fn(usize, &Place) -> bool| {
        let meant = places.iter().enumerate();
        let meant = meant.filter(|(index, place)| is_meant(*index, place));
        let names: Vec<_> = meant.map(|(_, place)| place.config.name()).collect();
        names.join(", ")
    };
    tracing::info!(
        kept = names(&|index, place| index < known && !place.is_retired),
        started = names(&|index, _| index >= known),
        retired = names(&|index, place| place.is_retired && !was_retired(index)),
        "carriers, routes and paces are reloaded"
    );
    if *former != wanted.compliance {
        let Compliance {
            refuse_unregistered_alpha,
        } = wanted.compliance;
        tracing::info!(refuse_unregistered_alpha, "[compliance] is reloaded");
    }
    let mut running = places.iter().filter(|place| !place.is_retired);
    let simulator = running.find_map(|place| place.simulator.clone());
    match (&postrider.control, simulator) {
        (Some(control), Some(simulator)) => control.turn_to(simulator),
        (None, Some(_)) => {
            tracing::warn!("reload: the API of the simulator is there from the next start on");
        }
        (_, None) => {}
    }
    postrider.places = places;
    Ok(())
}

/// Reads the table of networks, which may be long, where nobody waits for it.
async fn cover(wanted: &Config, postrider: &Postrider) -> anyhow::Result<Coverage> {
    let engine = &postrider.engine;
    let wiring = wiring::lookups(wanted, engine.clock().clone(), engine.metrics().clone());
    let (wanted, former) = (wanted.clone(), engine.coverage());
    let read = move || wiring::coverage(&wanted, &wiring, former.networks.as_ref());
    Ok(tokio::task::spawn_blocking(read).await??)
}

/// What a reload does.
struct Plan {
    /// By number: those that are there, and the new ones, which are not started yet.
    places: Vec<Place>,
    routes: Routes,
}

fn plan(running: &[Place], wanted: &Config) -> anyhow::Result<Plan> {
    let mut places = running.to_vec();
    let carriers = wiring::carriers(wanted);
    let mut numbers = Vec::new();
    for carrier in &carriers {
        let is_same = |place: &Place| {
            !place.is_retired && place.config.without_policy() == carrier.without_policy()
        };
        let place = if let Some(place) = places.iter().position(is_same) {
            places[place].config = carrier.clone();
            place
        } else {
            places.push(Place::new(carrier.clone()));
            places.len() - 1
        };
        numbers.push((carrier, number(place)?));
    }
    for (place, number) in places.iter_mut().zip(0..) {
        let number = CarrierNo(number);
        place.is_retired |= !numbers.iter().any(|(_, wanted)| *wanted == number);
    }
    let routes = config::route_table(&wanted.routes, &numbers);
    Ok(Plan { places, routes })
}

/// The sections of which a running process cannot take a change.
fn needs_restart(started: &Config, wanted: &Config) -> Vec<&'static str> {
    // Every section is named, so that a new one is either reloaded or listed.
    let Config {
        server,
        store,
        webhooks,
        links,
        carriers: _,
        routes: _,
        networks: _,
        mms: _,
        countries: _,
        pace: _,
        caps,
        limits,
        compliance: _,
        opt_out,
    } = wanted;
    let sections = [
        ("server", started.server != *server),
        ("store", started.store != *store),
        ("webhooks", started.webhooks != *webhooks),
        ("links", started.links != *links),
        ("limits", started.limits != *limits),
        ("caps", started.caps != *caps),
        ("opt_out", started.opt_out != *opt_out),
    ];
    let changed = sections.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(section, _)| section).collect()
}

#[cfg(test)]
mod tests {
    use postrider_carriers::{UnknownOutcome, simulator};

    use super::*;

    fn simulated(name: &str) -> simulator::Config {
        simulator::Config {
            name: name.into(),
            ..simulator::Config::default()
        }
    }

    fn slower(name: &str) -> simulator::Config {
        simulator::Config {
            throughput: 5,
            ..simulated(name)
        }
    }

    fn with_carriers(carriers: impl IntoIterator<Item = simulator::Config>) -> Config {
        let carriers = carriers
            .into_iter()
            .map(config::Carrier::Simulator)
            .collect();
        Config {
            carriers,
            ..Config::default()
        }
    }

    fn started(config: &Config) -> Vec<Place> {
        let carriers = wiring::carriers(config).into_iter();
        carriers.map(Place::new).collect()
    }

    /// Name and whether it is retired, by number.
    fn shown(places: &[Place]) -> Vec<(&str, bool)> {
        let places = places.iter();
        places
            .map(|place| (place.config.name(), place.is_retired))
            .collect()
    }

    #[test]
    fn what_is_new_or_changed_is_appended_and_what_it_replaces_retired() {
        let running = started(&with_carriers(["a", "b", "c"].map(simulated)));
        let mut wanted = with_carriers([simulated("d"), slower("b"), simulated("c")]);
        wanted.routes = vec![config::Route {
            carriers: vec!["c".into(), "b".into(), "d".into()],
            ..config::Route::default()
        }];
        let first = plan(&running, &wanted).unwrap();
        let expected = [
            ("a", true),
            ("b", true),
            ("c", false),
            ("d", false),
            ("b", false),
        ];
        assert_eq!(shown(&first.places), expected);
        assert_eq!(first.routes.0[0].carriers, [2, 4, 3]);

        // What is retired never comes back under its number.
        let again = plan(&first.places, &with_carriers(["a", "b"].map(simulated))).unwrap();
        let mut expected = expected.map(|(name, _)| (name, true)).to_vec();
        expected.extend([("a", false), ("b", false)]);
        assert_eq!(shown(&again.places), expected);
        assert_eq!(again.routes.0[0].carriers, [5, 6]);
    }

    #[test]
    fn a_changed_policy_alone_keeps_the_carrier() {
        let fails = simulator::Config {
            unknown_outcome: UnknownOutcome::Fail,
            ..simulated("a")
        };
        let running = started(&with_carriers([simulated("a")]));
        let plan = plan(&running, &with_carriers([fails])).unwrap();
        assert_eq!(shown(&plan.places), [("a", false)]);
        let policy = plan.places[0].config.policy();
        assert_eq!(policy.unknown_outcome, UnknownOutcome::Fail);
        assert_eq!(plan.routes.0[0].carriers, [0]);
    }

    #[test]
    fn sections_that_wait_for_the_next_start_are_named() {
        let mut wanted = Config::default();
        assert_eq!(needs_restart(&Config::default(), &wanted), [""; 0]);
        wanted.pace.alpha = 1.0;
        wanted.limits.retention_days += 1;
        assert_eq!(needs_restart(&Config::default(), &wanted), ["limits"]);
    }
}
