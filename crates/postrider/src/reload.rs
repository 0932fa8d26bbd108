//! SIGHUP: routes and carriers' policies take effect without a restart; the log says what does not.

use postrider_engine::Engine;
use postrider_engine::dispatch::CarrierPolicy;

use crate::cli::Source;
use crate::config::{self, Config};
use crate::{serve, wiring};

/// Reads the configuration again. One that cannot be used changes nothing.
pub(crate) async fn reload(source: &Source, running: &Config, engine: &Engine) {
    let mut wanted = match serve::read(source) {
        Ok(wanted) => wanted,
        Err(error) => {
            tracing::error!(%error, "not reloaded");
            return;
        }
    };
    // As it was started, whatever the file says.
    wanted.server.listen.clone_from(&running.server.listen);
    let plan = plan(running, &wanted);
    for restart in &plan.needs_restart {
        tracing::warn!("reload: {restart} takes effect at the next start");
    }
    engine.reconfigure(plan.routes, plan.policies).await;
    tracing::info!("routes and carriers' policies are reloaded");
}

/// What a reload does, and what it cannot do.
struct Plan {
    routes: postrider_core::route::Routes,
    /// In the order of the running carriers.
    policies: Vec<CarrierPolicy>,
    needs_restart: Vec<String>,
}

fn plan(running: &Config, wanted: &Config) -> Plan {
    let (started, carriers) = (wiring::carriers(running), wiring::carriers(wanted));
    let names: Vec<_> = started.iter().map(config::Carrier::name).collect();
    let mut needs_restart = Vec::new();
    let mut policies = Vec::new();
    for carrier in &started {
        let name = carrier.name();
        let again = carriers.iter().find(|again| again.name() == name);
        match again {
            None => needs_restart.push(format!("removing carrier {name}")),
            Some(again) if again.without_policy() != carrier.without_policy() => {
                needs_restart.push(format!("the connection of carrier {name}"));
            }
            Some(_) => {}
        }
        let mut policy = again.unwrap_or(carrier).policy();
        // Ids already given belong to the group they were given in.
        policy.group = carrier.policy().group;
        policies.push(policy);
    }
    let is_new = |carrier: &&config::Carrier| !names.contains(&carrier.name());
    needs_restart.extend(
        carriers
            .iter()
            .filter(is_new)
            .map(|carrier| format!("new carrier {}", carrier.name())),
    );
    let mut section = |name: &str, is_changed: bool| {
        if is_changed {
            needs_restart.push(format!("[{name}]"));
        }
    };
    section("server", running.server != wanted.server);
    section("store", running.store != wanted.store);
    section("webhooks", running.webhooks != wanted.webhooks);
    section("links", running.links != wanted.links);
    section("pace", running.pace != wanted.pace);
    section("limits", running.limits != wanted.limits);
    Plan {
        routes: config::route_table(&wanted.routes, &names),
        policies,
        needs_restart,
    }
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

    #[test]
    fn policies_and_routes_change_and_the_rest_is_told() {
        let running = with_carriers([simulated("a"), simulated("b")]);
        let fails = simulator::Config {
            unknown_outcome: UnknownOutcome::Fail,
            ..simulated("b")
        };
        let slower = simulator::Config {
            throughput: 5,
            ..fails
        };
        let mut wanted = with_carriers([slower, simulated("c")]);
        wanted.pace.alpha = 1.0;
        wanted.routes = vec![config::Route {
            carriers: vec!["c".into(), "b".into()],
            ..config::Route::default()
        }];
        let plan = plan(&running, &wanted);
        assert_eq!(plan.routes.0[0].carriers, [1], "c is not running yet");
        let outcomes: Vec<_> = plan
            .policies
            .iter()
            .map(|policy| policy.unknown_outcome)
            .collect();
        assert_eq!(outcomes, [UnknownOutcome::Resend, UnknownOutcome::Fail]);
        assert_eq!(
            plan.needs_restart,
            [
                "removing carrier a",
                "the connection of carrier b",
                "new carrier c",
                "[pace]",
            ]
        );
    }

    #[test]
    fn a_changed_policy_alone_needs_no_restart() {
        let fails = simulator::Config {
            unknown_outcome: UnknownOutcome::Fail,
            ..simulated("a")
        };
        let plan = plan(&with_carriers([simulated("a")]), &with_carriers([fails]));
        assert_eq!(plan.needs_restart, [""; 0]);
        assert_eq!(plan.routes.0[0].carriers, [0]);
    }
}
