//! Area-code geomatch through the API, for every overlay group of the numbering plan's table.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

const TABLE: &str = include_str!("../../../core/data/nanp_overlays.csv");

/// Area codes that share their territory with no other, where the numbers live that must lose.
const DECOYS: [(&str, &str); 2] = [("US", "907"), ("CA", "867")];

#[tokio::test]
async fn a_number_of_an_overlaying_area_code_is_local_in_every_group() {
    let world = World::new().await;
    let service = world.service().await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    // A decoy joins first, so that it would win every tie.
    for (_, area_code) in DECOYS {
        let number = world.number(&format!("+1{area_code}5550100")).await;
        let fields = [("PhoneNumberSid", number.as_str())];
        world.post(&pool, &fields).await.created();
    }
    let mut groups = 0;
    for codes in overlay_groups().into_values() {
        groups += 1;
        for own in &codes {
            let number = format!("+1{own}5550101");
            let sid = world.number(&number).await;
            let fields = [("PhoneNumberSid", sid.as_str())];
            world.post(&pool, &fields).await.created();
            for other in &codes {
                let to = format!("+1{other}5550199");
                let fields = [("MessagingServiceSid", service.as_str()), ("To", &to)];
                let explained = world.post("/x/v1/Explain", &fields).await.ok();
                let rule = if own == other {
                    "area_code_match"
                } else {
                    "area_code_overlay"
                };
                assert_eq!(explained["from"], number, "{own} for {other}");
                assert_eq!(explained["decision"]["rule"], rule, "{own} for {other}");
            }
            world.delete(&format!("{pool}/{sid}")).await.gone();
        }
    }
    assert!(groups > 50, "only {groups} groups in the table");
}

/// The area codes of each group that has more than one.
fn overlay_groups() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut groups = BTreeMap::<_, BTreeSet<_>>::new();
    for line in TABLE.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let [code, _country, _region, of, _status] = fields[..] else {
            panic!("not five fields: {line}")
        };
        for group in of.split(';').filter(|group| !group.is_empty()) {
            groups.entry(group).or_default().insert(code);
        }
    }
    groups.retain(|_, codes| codes.len() > 1);
    groups
}
