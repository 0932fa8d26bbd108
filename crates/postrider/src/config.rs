//! `postrider.toml`: what the operator may set, read and checked once before anything is started.
//!
//! Every key has a default, so an empty file is a configuration. Each can also be given as a
//! variable, `POSTRIDER__SECTION__KEY`, which wins over the file. A key that does not exist is an
//! error that names the nearest one. `postrider.example.toml` is the manual; a test holds the two
//! together.

mod carriers;
#[cfg(test)]
mod example;
mod pace;
mod problem;
mod reader;
mod routes;
mod sections;
mod setting;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use postrider_core::cap::CapRule;
use postrider_core::country::Country;
use postrider_core::opt_out::Wording;
use postrider_core::pacing::PaceSettings;
use postrider_core::serde_unique_keys;
use postrider_engine::coverage::{Countries, Mms};
use postrider_engine::{Compliance, Limits, QueueSeconds, networks, webhooks};
use serde::Deserialize;

pub(crate) use self::carriers::Carrier;
pub(crate) use self::problem::Problem;
pub(crate) use self::routes::{Route, table as route_table};
pub(crate) use self::sections::{Links, Server, Store};
pub(crate) use self::setting::Setting;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) webhooks: webhooks::Config,
    pub(crate) links: Links,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) routes: Vec<Route>,
    pub(crate) networks: networks::Config,
    pub(crate) mms: Mms,
    #[serde(deserialize_with = "serde_unique_keys::read")]
    pub(crate) countries: Countries,
    pub(crate) pace: PaceSettings,
    pub(crate) caps: Vec<CapRule>,
    pub(crate) limits: Limits,
    pub(crate) compliance: Compliance,
    pub(crate) opt_out: Wording,
}

/// Where settings come from that no file holds.
const ENVIRONMENT: &str = "the environment";

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// Where the settings came from.
    source: String,
    pub(crate) problems: Vec<String>,
}

impl Unusable {
    pub(crate) fn environment(problem: String) -> Self {
        Self {
            source: ENVIRONMENT.to_owned(),
            problems: vec![problem],
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be used:", self.source)?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Unusable {}

impl Config {
    /// Reads a file and the environment, and checks both.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Unusable> {
        let source = path.display().to_string();
        let unusable = |problem: String| Unusable {
            source: source.clone(),
            problems: vec![problem],
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| unusable(error.to_string()))?;
        Self::of_settings(table.into(), variables(), &source)
    }

    /// The defaults and the environment, with `store.url` given.
    pub(crate) fn of_directory(data_dir: &Path) -> Result<Self, Unusable> {
        let mut config = Self::of_settings(Setting::default(), variables(), ENVIRONMENT)?;
        config.store.url = format!("{}{}", sections::SQLITE, data_dir.display());
        Ok(config)
    }

    /// Reads settings and lays the variables over them.
    fn of_settings(
        mut settings: Setting,
        variables: impl IntoIterator<Item = (String, String)>,
        source: &str,
    ) -> Result<Self, Unusable> {
        let unusable = |problems| Unusable {
            source: source.to_owned(),
            problems,
        };
        settings
            .overlay(variables)
            .map_err(|problem| unusable(vec![problem]))?;
        let config: Self =
            reader::read(settings).map_err(|problem| unusable(vec![problem.to_string()]))?;
        let problems = config.problems();
        if problems.is_empty() {
            return Ok(config);
        }
        Err(unusable(problems.iter().map(Problem::to_string).collect()))
    }

    /// What types cannot say: all of it at once.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.server.check(&mut problems);
        self.store.check(&mut problems);
        carriers::check(&self.carriers, &mut problems);
        routes::check(&self.routes, &self.carriers, &mut problems);
        check_reach(self, &mut problems);
        check_limits(&self.limits, &mut problems);
        pace::check(&self.pace, &self.carriers, &mut problems);
        check_wording(&self.opt_out, &mut problems);
        problems
    }
}

/// The environment, without what is no text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// What is said of recipients' networks and of countries. The table is read when it is put to use.
fn check_reach(config: &Config, problems: &mut Vec<Problem>) {
    if let Err(problem) = config.networks.check_url() {
        problems.push(Problem::at("lookup_url", problem).within("networks"));
    }
    let mut check = |country: &Country, key: &str, section: &str| {
        if Country::parse_known(country.as_str()).is_none() {
            let text =
                format!("there is no country {country}, expected one of ISO 3166 such as GB");
            problems.push(Problem::at(key, text).within(section));
        }
    };
    for country in config.countries.keys() {
        check(country, country.as_str(), "countries");
    }
    for reach in &config.mms.reach {
        for country in reach.from.iter().chain(&reach.to) {
            check(country, "reach", "mms");
        }
    }
    for country in config.pace.long_code_by_country.keys() {
        check(country, "long_code_by_country", "pace");
    }
    for destination in &config.pace.destinations {
        for country in &destination.countries {
            check(country, "destinations", "pace");
        }
    }
    for country in config.caps.iter().flat_map(|rule| &rule.countries) {
        check(country, "countries", "caps");
    }
}

fn check_wording(wording: &Wording, problems: &mut Vec<Problem>) {
    if let Err(error) = wording.check() {
        let key = error.kind.as_str().to_ascii_lowercase();
        problems.push(Problem::at(&key, error.to_string()).within("opt_out"));
    }
}

fn check_limits(limits: &Limits, problems: &mut Vec<Problem>) {
    let ranges = [
        (
            "max_validity_period",
            u64::from(limits.max_validity_period),
            1..=36_000,
        ),
        ("retention_days", u64::from(limits.retention_days), 7..=400),
        ("pool_size_max", limits.pool_size_max as u64, 1..=100_000),
        (
            "alpha_senders_max",
            limits.alpha_senders_max as u64,
            1..=1_000_000,
        ),
        (
            "channel_senders_max",
            limits.channel_senders_max as u64,
            1..=1_000_000,
        ),
        (
            "commit_backlog_max",
            limits.commit_backlog_max as u64,
            1..=10_000_000,
        ),
    ];
    let mut check = |key: &str, given: u64, range: RangeInclusive<u64>, section: Option<&str>| {
        if !range.contains(&given) {
            let (least, most) = range.into_inner();
            let text = format!("given {given}, expected {least} to {most}");
            let problem = Problem::at(key, text);
            let problem = section.into_iter().fold(problem, Problem::within);
            problems.push(problem.within("limits"));
        }
    };
    for (key, given, range) in ranges {
        check(key, given, range, None);
    }
    let QueueSeconds {
        long_code,
        toll_free,
        short_code,
        alpha,
        whatsapp,
    } = limits.queue_seconds;
    for (key, given) in [
        ("long_code", long_code),
        ("toll_free", toll_free),
        ("short_code", short_code),
        ("alpha", alpha),
        ("whatsapp", whatsapp),
    ] {
        check(key, given.into(), 1..=36_000, Some("queue_seconds"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Config, String> {
        let table: toml::Table = toml.parse().unwrap();
        Config::of_settings(table.into(), [], "test").map_err(|error| error.problems.join("\n"))
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        assert_eq!(read(""), Ok(Config::default()));
    }

    /// One row per mistake: what the file says, and what we say.
    #[test]
    fn a_mistake_is_named_with_its_place_and_what_is_expected() {
        for (toml, expected) in [
            (
                "[servr]",
                "servr: there is no such key; did you mean `server`?",
            ),
            (
                "server.lisen = \"127.0.0.1:1\"",
                "server.lisen: there is no such key; did you mean `listen`?",
            ),
            (
                "server.listen = 8080",
                "server.listen: given integer `8080`, expected a text",
            ),
            (
                "server.listen = \"8080\"",
                "server.listen: given \"8080\", expected an address and a port such as 127.0.0.1:8080",
            ),
            (
                "server.public_url = \"sms.example.com\"",
                "server.public_url: given \"sms.example.com\", expected a URL such as https://sms.example.com",
            ),
            (
                "server.trusted_proxies = [\"10.0.0.0/99\"]",
                "server.trusted_proxies: \"10.0.0.0/99\" is neither an IP address nor a network such as 10.0.0.0/8",
            ),
            (
                "store.url = \"mysql://x\"",
                "store.url: given \"mysql://x\", expected sqlite:// and a directory",
            ),
            (
                "webhooks.concurency = 1",
                "webhooks.concurency: there is no such key; did you mean `concurrency`?",
            ),
            (
                "webhooks.concurrency = 0",
                "webhooks.concurrency: given integer `0`, expected a whole number from 1 to 4294967295",
            ),
            (
                "limits.retention_days = 3",
                "limits.retention_days: given 3, expected 7 to 400",
            ),
            (
                "limits.queue_seconds.whatsapp = 0",
                "limits.queue_seconds.whatsapp: given 0, expected 1 to 36000",
            ),
            (
                "limits.queue_seconds.alpha = 36001",
                "limits.queue_seconds.alpha: given 36001, expected 1 to 36000",
            ),
            (
                "limits.queue_seconds.short_cod = 1",
                "limits.queue_seconds.short_cod: there is no such key; did you mean `short_code`?",
            ),
            (
                "pace.alpha = -1",
                "pace.alpha: given -1, expected segments per second, 0 for no limit",
            ),
            (
                "networks.lookup_url = \"https://hlr.example.com/\"",
                "networks.lookup_url: given \"https://hlr.example.com/\", expected a URL with {number} in it",
            ),
            (
                "networks.lookup_url = \"ftp://hlr.example.com/{number}\"",
                "networks.lookup_url: given \"ftp://hlr.example.com/{number}\": expected a URL that begins \
                 with http:// or https://",
            ),
            (
                "[[caps]]\ncountries = [\"UK\"]",
                "caps.countries: there is no country UK, expected one of ISO 3166 such as GB",
            ),
            (
                "[countries.UK]\nalpha_sender = \"yes\"",
                "countries.UK: there is no country UK, expected one of ISO 3166 such as GB",
            ),
            (
                "mms.reach = [{ from = [\"US\"], to = [\"UK\"] }]",
                "mms.reach: there is no country UK, expected one of ISO 3166 such as GB",
            ),
            (
                "[countries.AE]\nalpha_sender = \"yess\"",
                "countries.AE.alpha_sender: given \"yess\", expected \"yes\" or \"no\" or \"unknown\"; \
                 did you mean \"yes\"?",
            ),
            (
                "[[caps]]\ndaily_segment = 1",
                "caps[0].daily_segment: there is no such key; did you mean `daily_segments`?",
            ),
            (
                "[[pace.destinations]]\nrate = 1\ncountrys = [\"DE\"]",
                "pace.destinations[0].countrys: there is no such key; did you mean `countries`?",
            ),
            (
                "[[pace.destinations]]\ncountries = [\"DE\"]",
                "pace.destinations[0].rate: is required and not given",
            ),
            (
                "[[carriers]]\nkind = \"simulator\"\nname = \"acme\"\n\
                 [[pace.destinations]]\nrate = 1\ncarrier = \"acne\"",
                "pace.destinations[0].carrier: there is no carrier \"acne\"; did you mean \"acme\"?",
            ),
            (
                "[pace.campaigns.spring]\nrate = -1",
                "pace.campaigns.spring.rate: given -1, expected segments per second, 0 for no limit",
            ),
            (
                "[pace.campaigns.spring]\nrte = 1",
                "pace.campaigns.spring.rte: there is no such key; did you mean `rate`?",
            ),
            (
                "[pace.campaigns.spring.by_carrier]\nsimulatr = 1",
                "pace.campaigns.spring.by_carrier: there is no carrier \"simulatr\"; did you mean \"simulator\"?",
            ),
            (
                "[pace.campaigns.a]\nservices = [\"MG0123456789abcdef0123456789abcdef\"]\n\
                 [pace.campaigns.b]\nservices = [\"MG0123456789abcdef0123456789abcdef\"]",
                "pace.campaigns.b.services: MG0123456789abcdef0123456789abcdef is in campaign a already",
            ),
            (
                "[pace.account_by_sid]\nAC0123456789abcdef0123456789abcdef = 1\n\
                 ac0123456789ABCDEF0123456789abcdef = 2",
                "pace.account_by_sid: AC0123456789abcdef0123456789abcdef and \
                 ac0123456789ABCDEF0123456789abcdef are the same; give it once",
            ),
            (
                "[pace.account_by_sid]\nAC1 = 1",
                "pace.account_by_sid: expected a SID: AC followed by 32 hexadecimal digits",
            ),
            (
                "[pace.long_code_by_country]\nDE = 1\nFR = 1\nde = 2",
                "pace.long_code_by_country: DE and de are the same; give it once",
            ),
            (
                "[countries.ae]\nalpha_sender = \"yes\"\n[countries.AE]\nalpha_sender = \"no\"",
                "countries: AE and ae are the same; give it once",
            ),
            (
                "[[routes]]\nrate = -1\ncarriers = [\"simulator\"]",
                "routes[0].rate: given -1, expected segments per second, 0 for no limit",
            ),
            (
                "[[carriers]]\nname = \"a\"",
                "carriers[0].kind: is required and not given",
            ),
            (
                "[[carriers]]\nkind = \"smp\"",
                "carriers[0].kind: given \"smp\", expected \"smpp\" or \"simulator\"; did you mean \"smpp\"?",
            ),
            (
                "[[carriers]]\nkind = \"smpp\"\nname = \"acme\"\nhost = \"h\"\nsystem_id = \"s\"\nwindw = 3",
                "carriers[0].windw: there is no such key; did you mean `window`?",
            ),
            (
                "[[carriers]]\nkind = \"smpp\"\nname = \"acme\"\nsystem_id = \"s\"",
                "carriers[0] (acme): host is required",
            ),
            (
                "[[carriers]]\nkind = \"simulator\"\n[[carriers]]\nkind = \"simulator\"",
                "carriers[1].name: given \"simulator\" a second time, expected a name of its own",
            ),
            (
                "[[carriers]]\nkind = \"simulator\"\nname = \"acme\"\n\
                 [[routes]]\ncarriers = [\"acne\"]",
                "routes[0].carriers: there is no carrier \"acne\"; did you mean \"acme\"?",
            ),
            (
                "[[routes]]\ncarriers = []",
                "routes[0].carriers: is empty, expected the names of one or more carriers",
            ),
            (
                "[[routes]]\ndestination = \"US\"\ncarriers = [\"simulator\"]",
                "routes[0].destination: given \"US\", expected + and leading digits such as \"+1\", or \"\" for all",
            ),
            (
                "[[routes]]\nsender = \"longcode\"\ncarriers = [\"simulator\"]",
                "routes[0].sender: given \"longcode\", expected \"long_code\" or \"toll_free\" or \
                 \"short_code\" or \"alpha\" or \"whatsapp\"; did you mean \"long_code\"?",
            ),
        ] {
            assert_eq!(read(toml), Err(expected.to_owned()), "{toml}");
        }
    }

    #[test]
    fn all_mistakes_of_the_second_look_are_told_at_once() {
        let problems = read("pace.alpha = -1\nlimits.retention_days = 500\nserver.listen = \"\"");
        assert_eq!(problems.unwrap_err().lines().count(), 3);
    }

    #[test]
    fn variables_win_over_the_file() {
        let table: toml::Table = "[pace]\nalpha = 1".parse().unwrap();
        let variables = [
            ("POSTRIDER__PACE__ALPHA", "2.5"),
            ("POSTRIDER__WEBHOOKS__ALLOW_PRIVATE_NETWORKS", "true"),
            ("POSTRIDER__CARRIERS__0__KIND", "simulator"),
            ("POSTRIDER__CARRIERS__0__NAME", "1234"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::of_settings(table.into(), variables, "test").unwrap();
        assert!((config.pace.alpha - 2.5).abs() < f64::EPSILON);
        assert!(config.webhooks.allow_private_networks);
        assert_eq!(config.carriers[0].name(), "1234");
    }
}
