//! `[[routes]]`: which carriers take which messages; the first route that matches wins.

use postrider_carriers::CarrierNo;
use postrider_core::route;
use postrider_core::select::SenderKind;
use serde::Deserialize;

use super::carriers::Carrier;
use super::problem::{Problem, nearest};

/// One route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Route {
    /// `+` and the recipient's leading digits; empty for all.
    pub(crate) destination: String,
    pub(crate) sender: Option<RouteSender>,
    /// Names, the first preferred.
    pub(crate) carriers: Vec<String>,
}

/// The kinds of senders that routes tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RouteSender {
    LongCode,
    TollFree,
    ShortCode,
    Alpha,
    #[serde(rename = "whatsapp")]
    WhatsApp,
}

impl From<RouteSender> for SenderKind {
    fn from(sender: RouteSender) -> Self {
        match sender {
            RouteSender::LongCode => Self::LongCode,
            RouteSender::TollFree => Self::TollFree,
            RouteSender::ShortCode => Self::ShortCode,
            RouteSender::Alpha => Self::Alpha,
            RouteSender::WhatsApp => Self::WhatsApp,
        }
    }
}

/// The routing table over these carriers with their numbers. Names that are not among them are left
/// out, which a checked configuration has none of. Without any route, every carrier in order takes
/// everything it can.
pub(crate) fn table(routes: &[Route], carriers: &[(&Carrier, CarrierNo)]) -> route::Routes {
    if routes.is_empty() {
        let all = Route {
            carriers: carriers
                .iter()
                .map(|(carrier, _)| carrier.name().to_owned())
                .collect(),
            ..Route::default()
        };
        return route::Routes(rows(&all, carriers).collect());
    }
    route::Routes(
        routes
            .iter()
            .flat_map(|route| rows(route, carriers))
            .collect(),
    )
}

/// What a route of the configuration comes to: WhatsApp messages go to those of its carriers that can
/// take them, and where it has none, the next route is asked.
fn rows(route: &Route, carriers: &[(&Carrier, CarrierNo)]) -> impl Iterator<Item = route::Route> {
    let numbers = |is_able: fn(&Carrier) -> bool| -> Vec<u16> {
        let named = route
            .carriers
            .iter()
            .filter_map(|name| carriers.iter().find(|(it, _)| it.name() == name));
        named
            .filter(|(carrier, _)| is_able(carrier))
            .map(|(_, number)| number.0)
            .collect()
    };
    let row = |sender, carriers| route::Route {
        destination: route.destination.trim_start_matches('+').to_owned(),
        sender,
        carriers,
    };
    let is_for_whatsapp = matches!(route.sender, None | Some(RouteSender::WhatsApp));
    let whatsapp = numbers(Carrier::carries_whatsapp);
    let whatsapp = (is_for_whatsapp && !whatsapp.is_empty())
        .then(|| row(Some(SenderKind::WhatsApp), whatsapp));
    let sms = (route.sender != Some(RouteSender::WhatsApp))
        .then(|| row(route.sender.map(SenderKind::from), numbers(|_| true)));
    sms.into_iter().chain(whatsapp)
}

pub(super) fn check(routes: &[Route], carriers: &[Carrier], problems: &mut Vec<Problem>) {
    let names: Vec<_> = carriers.iter().map(Carrier::name).collect();
    for (index, route) in routes.iter().enumerate() {
        let mut wrong = |key: &str, text: String| {
            problems.push(
                Problem::at(key, text)
                    .within_element(index)
                    .within("routes"),
            );
        };
        if !is_prefix(&route.destination) {
            let expected = "expected + and leading digits such as \"+1\", or \"\" for all";
            wrong(
                "destination",
                format!("given \"{}\", {expected}", route.destination),
            );
        }
        if route.carriers.is_empty() {
            wrong(
                "carriers",
                "is empty, expected the names of one or more carriers".to_owned(),
            );
        }
        for name in &route.carriers {
            // Without carriers, the simulator stands in under its default name.
            let is_known =
                names.contains(&name.as_str()) || (names.is_empty() && name == "simulator");
            let other_channel = carriers
                .iter()
                .any(|carrier| carrier.name() == name && !carrier.carries_whatsapp());
            if route.sender == Some(RouteSender::WhatsApp) && other_channel {
                wrong(
                    "carriers",
                    format!(
                        "\"{name}\" is a carrier of kind \"smpp\", which takes no WhatsApp messages"
                    ),
                );
            }
            if !is_known {
                let hint = nearest(name, &names)
                    .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                wrong("carriers", format!("there is no carrier \"{name}\"{hint}"));
            }
        }
    }
}

fn is_prefix(destination: &str) -> bool {
    destination.is_empty()
        || destination
            .strip_prefix('+')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use postrider_core::phone_number::PhoneNumber;
    use postrider_core::sender::SenderAddress;

    use super::*;

    #[test]
    fn names_become_numbers_and_no_route_means_all() {
        let route = Route {
            destination: "+44".into(),
            sender: Some(RouteSender::Alpha),
            carriers: vec!["b".into(), "gone".into(), "a".into()],
        };
        let [a, b] = ["a", "b"].map(simulated);
        let carriers = [(&a, CarrierNo(4)), (&b, CarrierNo(1))];
        let table_of = |routes: &[Route]| table(routes, &carriers).0;
        let expected = route::Route {
            destination: "44".into(),
            sender: Some(SenderKind::Alpha),
            carriers: vec![1, 4],
        };
        assert_eq!(table_of(&[route]), [expected]);
        assert_eq!(table_of(&[])[0].carriers, [4, 1]);
    }

    #[test]
    fn whatsapp_goes_to_the_carriers_that_can_take_it() {
        let smpp = Carrier::Smpp(Box::new(postrider_carriers::smpp::Config {
            name: "acme".into(),
            ..Default::default()
        }));
        let simulator = simulated("simulator");
        let carriers = [(&smpp, CarrierNo(0)), (&simulator, CarrierNo(1))];
        let route = |sender, carriers: &[&str]| Route {
            sender,
            carriers: carriers.iter().map(|&name| name.to_owned()).collect(),
            ..Route::default()
        };
        let alpha = Some(RouteSender::Alpha);
        let whatsapp = Some(RouteSender::WhatsApp);
        for (routes, expected) in [
            (vec![], &[1][..]),
            (vec![route(None, &["acme", "simulator"])], &[1]),
            (vec![route(None, &["acme"])], &[]),
            (
                vec![route(None, &["acme"]), route(None, &["simulator"])],
                &[1],
            ),
            (vec![route(alpha, &["simulator"])], &[]),
            (vec![route(whatsapp, &["simulator"])], &[1]),
            (vec![route(whatsapp, &["acme"])], &[]),
        ] {
            let table = table(&routes, &carriers);
            let from = SenderAddress::parse("whatsapp:+14155550101").unwrap();
            let to = PhoneNumber::parse("+5511999990000").unwrap();
            assert_eq!(table.find(&from, to), expected, "{routes:?}");
        }
        for (sender, carrier, is_wrong) in [
            (whatsapp, "acme", true),
            (whatsapp, "simulator", false),
            (None, "acme", false),
        ] {
            let mut problems = Vec::new();
            let carriers = [smpp.clone(), simulator.clone()];
            check(&[route(sender, &[carrier])], &carriers, &mut problems);
            assert_eq!(!problems.is_empty(), is_wrong, "{sender:?} {carrier}");
        }
    }

    fn simulated(name: &str) -> Carrier {
        Carrier::Simulator(postrider_carriers::simulator::Config {
            name: name.into(),
            ..Default::default()
        })
    }
}
