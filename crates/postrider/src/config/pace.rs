//! What `[pace]` may hold: rates, and names of carriers that there are.

use std::collections::BTreeMap;

use postrider_core::pacing::PaceSettings;

use super::carriers::{Carrier, names, no_carrier};
use super::problem::Problem;

/// What is wrong with a rate.
pub(super) fn not_a_rate(given: f64) -> Option<String> {
    let is_rate = given >= 0.0 && given.is_finite();
    (!is_rate).then(|| format!("given {given}, expected segments per second, 0 for no limit"))
}

pub(super) fn check(pace: &PaceSettings, carriers: &[Carrier], problems: &mut Vec<Problem>) {
    let names = names(carriers);
    let mut wrong = |problem: Problem| problems.push(problem.within("pace"));
    let kinds = [
        ("long_code", pace.long_code.unwrap_or_default()),
        ("toll_free", pace.toll_free),
        ("short_code", pace.short_code),
        ("alpha", pace.alpha),
        ("whatsapp", pace.whatsapp),
        ("account", pace.account),
    ];
    let countries = pace.long_code_by_country.values();
    let countries = countries.map(|pace| ("long_code_by_country", *pace));
    let accounts = pace.account_by_sid.values();
    let accounts = accounts.map(|pace| ("account_by_sid", *pace));
    for (key, given) in kinds.into_iter().chain(countries).chain(accounts) {
        if let Some(text) = not_a_rate(given) {
            wrong(Problem::at(key, text));
        }
    }
    for (index, rule) in pace.destinations.iter().enumerate() {
        let mut wrong = |key: &str, text: String| {
            let problem = Problem::at(key, text).within_element(index);
            wrong(problem.within("destinations"));
        };
        if let Some(text) = not_a_rate(rule.rate) {
            wrong("rate", text);
        }
        if let Some(text) = rule
            .carrier
            .as_ref()
            .and_then(|name| no_carrier(name, &names))
        {
            wrong("carrier", text);
        }
    }
    let mut campaigns = BTreeMap::new();
    for (name, campaign) in &pace.campaigns {
        let mut wrong = |key: &str, text: String| {
            wrong(Problem::at(key, text).within(name).within("campaigns"));
        };
        if let Some(text) = not_a_rate(campaign.rate) {
            wrong("rate", text);
        }
        for (carrier, rate) in &campaign.by_carrier {
            if let Some(text) = not_a_rate(*rate).or_else(|| no_carrier(carrier, &names)) {
                wrong("by_carrier", text);
            }
        }
        for service in &campaign.services {
            if let Some(other) = campaigns.insert(service, name) {
                wrong(
                    "services",
                    format!("{service} is in campaign {other} already"),
                );
            }
        }
    }
}
