//! The worked examples of `docs/worked-examples.md`, and as many again for the corners.
//!
//! Columns: number; pool in pool order; settings and state; recipient; the sender chosen, or the
//! error; the rule that chose it; what else the decision says. Settings: `S` sticky sender, `A`
//! area-code geomatch, both off unless named; the MMS converter is on unless `M off`. Queues are idle,
//! mapping counts 0, networks unknown; MMS works within the US and Canada only. What the state says
//! happens in its order: senders join and leave, days pass, and `message` is one that comes before.

use super::super::*;
use super::world::{self, NOW_MS, World};
use crate::clock::Millis;
use crate::error_code::ErrorCode;
use crate::message::SenderNo;
use crate::network::Network;
use crate::phone_number::PhoneNumber;
use crate::sender::SenderAddress;
use crate::settings::SenderStatus;

#[test]
fn the_worked_examples() {
    let page = include_str!("../../../../../docs/worked-examples.md");
    let (_, examples) = page.split_once("## Examples").unwrap();
    let rows: Vec<_> = world::rows(examples).collect();
    for row in &rows {
        check_row(row);
    }
    assert_eq!(rows.len(), 50);
}

#[test]
fn media_goes_to_who_carries_it_and_otherwise_as_a_link() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | ACME, UK(MMS)      | S A; media; MMS in GB                | +447700900199           | UK(MMS)    | country_geomatch | write
 2 | UK, UK(MMS)        | S A; media; MMS in GB                | +447700900199           | UK(MMS)    | country_geomatch | write
 3 | UK, UK(MMS)        | S A; media                           | +447700900199           | UK         | pool_order       | write, as SMS
 4 | UK(MMS)            | S A; media; M off                    | +447700900199           | fail 21703 |                  |
 5 | ACME               | S A; media                           | +447700900199           | ACME       | alpha_sender     | write, as SMS
 6 | ACME               | S A; media; M off                    | +447700900199           | fail 21703 |                  |
 7 | SC-US2, US415      | S A; media                           | +14155550199            | US415      | area_code_match  | write
 8 | SC-US, US415       | S A; media                           | +14155550199            | SC-US      | short_code       | write
 9 | US(MMS)       | S A                                  | +14155550199            | fail 21703 |                  |
10 | US(MMS), US212| S A                                  | +14155550199            | US212      | country_geomatch | write
11 | UK, US415          | S A; media                           | +16475550199            | US415      | us_fallback      | write
12 | SC-US, DE          | S A; media; network without SC-US    | +14155550199            | DE         | any_country      | write, as SMS
",
    );
}

#[test]
fn a_mapping_is_kept_where_only_this_message_does_not_fit() {
    check(
        "
 # | pool               | settings, state                          | to                      | chosen     | rule             | also
 1 | US415, SC-US2      | S A; mapping SC-US2; media               | +14155550199            | US415      | area_code_match  | keep
 2 | US212, SC-US       | S A; mapping SC-US; network without SC-US| +14155550199            | US212      | country_geomatch | keep
 3 | UK, ACME           | S A; mapping ACME; media                 | +447700900199           | UK         | country_geomatch | keep, as SMS
 4 | US415, UK          | S A; mapping UK; suspended UK            | +447700900199           | US415      | us_fallback      | replace
 5 | UK                 | S A; mapping UK; suspended UK            | +447700900199           | fail 21703 |                  | delete
 6 | US415, ACME        | S A; mapping ACME                        | +14155550199            | US415      | area_code_match  | replace
 7 | US415, UK          | S A; mapping UK; 365 days                | +447700900199           | UK         | sticky_sender    | touch
 8 | US415, UK          | A; mapping US415                         | +447700900199           | UK         | country_geomatch |
 9 | US212, US415, SC-US| S A; mapping US212                       | +14155550199            | US212      | sticky_sender    | touch
10 | US415, UK          | S A; mapping US415; UK full              | +447700900199           | fail 30001 |                  | delete
11 | US212, US415, SC-UK| S; mapping US415; network without SC-UK  | +447700900199           | US415      | sticky_sender    | touch
12 | UK, UKb            | S; mapping UKb; UKb leaves; UKb joins    | +447700900199           | UK         | pool_order       | replace
13 | US(MMS), US212| S A; mapping US(MMS)                | +14155550199            | US212      | country_geomatch | replace
14 | US(MMS)       | S A; mapping US(MMS)                | +14155550199            | fail 21703 |                  | delete
15 | US(MMS), US212| S A; mapping US(MMS); media         | +14155550199            | US(MMS) | sticky_sender  | touch
16 | US(voice), US212   | S A; mapping US(voice); media            | +14155550199            | US212      | country_geomatch | replace
17 | SC-US2, US212      | S A; mapping SC-US2; media               | +14155550199            | US212      | country_geomatch | keep
",
    );
}

/// Each `message` is decided, and its decision followed.
#[test]
fn a_recipient_keeps_its_sender_as_the_pool_changes() {
    check(
        "
 # | pool          | settings, state                                              | to            | chosen | rule             | also
 1 | US415         | S; message; UK joins; message                                | +447700900199 | UK     | sticky_sender    | touch
 2 | US415         | S; message; SC-UK joins; message; UK joins                   | +447700900199 | SC-UK  | sticky_sender    | touch
 3 | US415         | S; message; UK joins; UK leaves                              | +447700900199 | US415  | sticky_sender    | touch
 4 | US415         | S; message; UK joins; message; UK leaves                     | +447700900199 | US415  | us_fallback      | replace
 5 | US415         | S; message; ACME joins; US415 leaves; US415 joins            | +447700900199 | ACME   | alpha_sender     | replace
 6 | UK, UKb       | S; message; UK leaves; message; UK joins                     | +447700900199 | UKb    | sticky_sender    | touch
 7 | UK, UKb       | S; mapping UKb; S off; message; S on                         | +447700900199 | UKb    | sticky_sender    | touch
 8 | UK, UKb       | S; mapping UKb; S off; 366 days; S on                        | +447700900199 | UK     | pool_order       | replace
 9 | UK, UKb       | S; mapping UKb; S off; UKb leaves; UKb joins; S on           | +447700900199 | UK     | pool_order       | replace
10 | UK, UKb       | S; mapping UKb; 300 days; message; 300 days                  | +447700900199 | UKb    | sticky_sender    | touch
11 | UK, UKb       | S; mapping UKb; 300 days; S off; message; S on; 300 days     | +447700900199 | UK     | pool_order       | replace
12 | UK, UKb       | S; mapping UKb; 300 days; UKb capped; message; 66 days       | +447700900199 | UK     | country_geomatch | replace
13 | UK            | S; mapping UK; UK leaves                                     | +447700900199 | 400 21704 |               |
",
    );
}

#[test]
fn a_full_queue_is_passed_over_by_the_scaler_only() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | UK, UKb            | S A; UK full                         | +447700900199           | UKb        | country_geomatch | write
 2 | UK, UKb            | S A; mapping UK; UK full             | +447700900199           | fail 30001 |                  | keep
 3 | UK, UKb            | S A; UK full; UKb full               | +447700900199           | fail 30001 |                  |
 4 | UK, US415          | S A; UK full                         | +447700900199           | fail 30001 |                  |
 5 | UK, UKb            | S A; UK full; from UK                | +447700900199           | fail 30001 |                  |
 6 | ACME, ACME2        | S A; ACME full                       | +447700900199           | ACME2      | pool_order       | write
 7 | ACME, ACME-DE      | S A; ACME-DE full                    | +4915110000099          | ACME       | alpha_sender     | write
 8 | ACME, UK           | S A; ACME full                       | +447700900199           | fail 30001 |                  |
 9 | SC-US, SC-US2      | S A; SC-US full                      | +14155550199            | SC-US2     | short_code       | write
",
    );
}

/// As a full queue, but a recipient who knows the sender gets another one for this day.
#[test]
fn a_reached_cap_is_passed_over_and_breaks_no_mapping() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | UK, UKb            | S A; UK capped                       | +447700900199           | UKb        | country_geomatch | write
 2 | UK, UKb            | S A; mapping UK; UK capped           | +447700900199           | UKb        | country_geomatch | keep
 3 | UK, UKb            | S A; UK capped; UKb capped           | +447700900199           | fail 30023 |                  |
 4 | UK, UKb            | S A; UK capped; UKb full             | +447700900199           | fail 30001 |                  |
 5 | UK, UKb            | S A; mapping UK; UK capped; UKb capped | +447700900199         | fail 30023 |                  | keep
 6 | UK, UKb            | S A; UK capped; from UK              | +447700900199           | fail 30023 |                  |
 7 | ACME, ACME2        | S A; ACME capped                     | +447700900199           | ACME2      | pool_order       | write
 8 | ACME, UK           | S A; ACME capped                     | +447700900199           | fail 30023 |                  |
 9 | SC-US, SC-US2      | S A; SC-US capped                    | +14155550199            | SC-US2     | short_code       | write
",
    );
}

#[test]
fn ties_are_settled_by_load_then_use_then_pool_order() {
    check(
        "
 # | pool               | settings, state                                | to                      | chosen     | rule               | also
 1 | UK, UKb            | S; UK 1 mappings; UKb 1 mappings; UK 5 queued  | +447700900199           | UKb        | earliest_drain     | write
 2 | UK, UKb            | S; UKb 1 mappings; UK 5 queued                 | +447700900199           | UK         | fewest_mappings    | write
 3 | UK, UKb            | ; UKb 1 mappings; UKb 0 queued                 | +447700900199           | UK         | pool_order         |
 4 | UK, UKb            | ; UK 2 queued; UKb 1 queued                    | +447700900199           | UKb        | earliest_drain     |
 5 | UK, UKb            | ; UK used 7; UKb used 6                        | +447700900199           | UKb        | least_recently_used|
 6 | ACME2, ACME        | S                                              | +447700900199           | ACME2      | pool_order         | write
 7 | SC-US, SC-US2      | S; SC-US 1 mappings                            | +14155550199            | SC-US2     | fewest_mappings    | write
 8 | WA-US, WA-BR       | S A; WA-US 0 queued; WA-BR 9 queued            | whatsapp:+33700000099   | WA-US      | us_fallback        |
",
    );
}

#[test]
fn a_named_sender_is_taken_as_it_is_or_not_at_all() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | US415, SC-US       | S A; from US415                      | +14155550199            | US415      | explicit_from    |
 2 |                    | S A; from US415                      | +14155550199            | 400 21711  |                  |
 3 | UK, SC-US          | S A; from SC-US                      | +447700900199           | fail 21606 |                  |
 4 | UK, ACME           | S A; from ACME                       | +14155550199            | fail 21612 |                  |
 5 | UK, US415          | S A; from UK; suspended UK           | +447700900199           | fail 21606 |                  |
 6 | UK, US415          | S A; from UK; media                  | +447700900199           | UK         | explicit_from    | as SMS
 7 | UK, US415          | S A; from UK; media; M off           | +447700900199           | fail 21612 |                  |
 8 | ACME, UK           | S A; from ACME; media                | +447700900199           | ACME       | explicit_from    | as SMS
 9 | US415, WA-US       | S A; from US415                      | whatsapp:+5511999990000 | fail 63007 |                  |
10 | US415, WA-US       | S A; from WA-US                      | whatsapp:+5511999990000 | WA-US      | explicit_from    |
11 | ACME-DE, ACME      | S A; from ACME                       | +33700000099            | ACME       | explicit_from    |
12 | ACME, ACME-DE      | S A; from ACME                       | +4915110000099          | ACME       | explicit_from    |
13 | US415, WA-US       | S A; from WA-US                      | +14155550199            | fail 30016 |                  |
",
    );
}

#[test]
fn a_number_does_not_text_itself() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | US415, US212       | S A                                  | +14155550101            | US212      | country_geomatch | write
 2 | US415              | S A                                  | +14155550101            | fail 21703 |                  |
 3 | US415, US212       | S A; mapping US415                   | +14155550101            | US212      | country_geomatch | write
 4 | UK, UKb            | S; UKb 3 mappings                    | +447700900101           | UKb        | country_geomatch | write
 5 | WA-US, WA-BR       | S A                                  | whatsapp:+14155550191   | WA-BR      | any_country      |
 6 | WA-US, US415       | S A                                  | +14155550191            | US415      | area_code_match  | write
 7 | US415              | S A; mapping US415                   | +14155550101            | fail 21703 |                  |
 8 | US415, US212       | S A; mapping US212                   | +14155550101            | US212      | sticky_sender    | touch
",
    );
    let decision = Example::read("US415, US212", "S A", "+14155550101")
        .decide()
        .unwrap();
    let removed: Vec<_> = decision
        .removed
        .iter()
        .map(|it| (it.sender, it.rule))
        .collect();
    assert_eq!(removed, [(world::no("US415"), Rule::OwnNumber)]);
}

#[test]
fn a_status_that_bars_a_sender_is_its_reason() {
    let state = "S A; suspended UK; porting UKb; pending DE";
    let example = Example::read("UK, UKb, DE, US415", state, "+447700900199");
    let decision = example.decide().unwrap();
    let candidates = decision.explain(&example.pool).into_iter();
    let told: Vec<_> = candidates
        .map(|it| (world::name(it.sender), it.rule.as_str(), it.reason))
        .skip(1)
        .collect();
    let expected = [
        ("UK", "suspended", "it is suspended"),
        ("UKb", "porting", "it is being ported"),
        ("DE", "pending", "it waits for its registration"),
    ];
    assert_eq!(
        told,
        expected.map(|(name, rule, why)| (name, rule, why.to_owned()))
    );
}

/// Columns: pool, settings, recipient, why it fails, the code, what becomes of the mapping, the reason.
#[test]
fn who_was_chosen_in_vain_comes_first_and_is_removed() {
    let country = "US415, ACME, UK";
    for (pool, state, to, rule, error, sticky, reason) in [
        (
            "US415, ACME",
            "S A; alert",
            "+971500000099",
            Rule::NotRegistered,
            ErrorCode::SenderIdNotRegistered,
            StickyAction::Ignore,
            "it is not registered in AE, and such messages are refused",
        ),
        (
            "US415, ACME",
            "S A; alert; mapping ACME",
            "+971500000099",
            Rule::NotRegistered,
            ErrorCode::SenderIdNotRegistered,
            StickyAction::Keep,
            "it is not registered in AE, and such messages are refused",
        ),
        (
            country,
            "S A",
            "+447700900199",
            Rule::NoRoute,
            ErrorCode::NoRoute,
            StickyAction::Ignore,
            "no route leads from it to the recipient",
        ),
        (
            country,
            "S A; media",
            "+447700900199",
            Rule::MediaNotCarried,
            ErrorCode::NoRoute,
            StickyAction::Ignore,
            "its media would go out as a link, and links are not made yet",
        ),
        (
            country,
            "S A; media",
            "+14155550199",
            Rule::MediaNotCarried,
            ErrorCode::NoRoute,
            StickyAction::Ignore,
            "no carrier takes media yet",
        ),
    ] {
        let example = Example::read(pool, state, to);
        let mut decision = example.decide().unwrap();
        let chosen = decision.chosen().unwrap();
        decision.fail(rule, error);
        assert_eq!(decision.outcome, Outcome::None { error }, "{state}");
        assert_eq!(
            (decision.sticky, decision.warning),
            (sticky, None),
            "{state}"
        );
        let candidates = decision.explain(&example.pool);
        assert_eq!(candidates.len(), example.pool.len());
        assert_eq!(candidates[0].sender, chosen, "{state}");
        assert_eq!(candidates[0].outcome, CandidateOutcome::Removed);
        assert_eq!(candidates[0].reason, reason);
        let stored = decision.to_bytes();
        assert_eq!(Decision::from_bytes(&stored), Ok(decision));
    }
}

#[test]
fn an_alpha_sender_is_warned_of_by_whichever_rule_it_was_chosen() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | ACME, US415        | S A; alert; mapping ACME             | +971500000099           | ACME       | sticky_sender    | touch, warning 30018
 2 | ACME, US415        | S A; alert; from ACME                | +971500000099           | ACME       | explicit_from    | warning 30018
 3 | ACME, US415        | S A; alert; from US415               | +971500000099           | US415      | explicit_from    |
 4 | ACME, US415        | S A                                  | +971500000099           | ACME       | alpha_sender     | write
 5 | ACME, UK           | S A; alert                           | +447700900199           | ACME       | alpha_sender     | write
 6 | ACME, UK           | S A; alert; ACME full                | +971500000099           | fail 30001 |                  |
",
    );
}

#[test]
fn toll_free_recipients_and_unknown_countries_match_no_area() {
    check(
        "
 # | pool               | settings, state                      | to                      | chosen     | rule             | also
 1 | US212, TF888       | S A                                  | +18885550199            | US212      | pool_order       | write
 2 | US415, UK          | S A                                  | +881612345678           | US415      | us_fallback      | write
 3 | ACME, SC-US, DE    | S A                                  | +881612345678           | DE         | any_country      | write
 4 | CA416, US415       | S A                                  | +12425550199            | US415      | us_fallback      | write
",
    );
}

/// Runs each row of a table whose first line names the columns.
fn check(table: &str) {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let header = lines.next().unwrap();
    assert!(header.contains("settings, state"), "no header: {header}");
    for line in lines {
        let fields: Vec<_> = line.split('|').map(str::trim).collect();
        check_row(&fields);
    }
}

fn check_row(row: &[&str]) {
    let [number, pool, state, to, chosen, rule, also] = *row else {
        panic!("not seven columns: {row:?}")
    };
    let outcome = Example::read(pool, state, to).run();
    let expected = [chosen, rule, also].map(str::to_owned);
    assert_eq!(outcome, expected, "row {number}: {row:?}");
}

/// One row, read.
struct Example {
    pool: Pool,
    /// Places in the pool that were given out.
    places: u64,
    now_ms: Millis,
    recipient: Recipient,
    settings: Settings,
    from: Option<SenderAddress>,
    mapping: Option<StickyMapping>,
    has_media: bool,
    world: World,
}

impl Example {
    fn read(pool: &str, state: &str, to: &str) -> Self {
        let pool = pool
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let (channel, to) = match to.strip_prefix("whatsapp:") {
            Some(to) => (Channel::WhatsApp, to),
            None => (Channel::Sms, to),
        };
        let mut example = Self {
            pool: Pool::default(),
            places: 0,
            now_ms: NOW_MS,
            recipient: Recipient::of(PhoneNumber::parse(to).unwrap(), channel),
            settings: Settings {
                sticky_sender: false,
                area_code_geomatch: false,
                mms_converter: true,
                preregistration_alert: false,
            },
            from: None,
            mapping: None,
            has_media: false,
            world: World::default(),
        };
        pool.for_each(|name| example.join(name));
        let (settings, state) = state.split_once(';').unwrap_or((state, ""));
        for setting in settings.split_whitespace() {
            match setting {
                "S" => example.settings.sticky_sender = true,
                "A" => example.settings.area_code_geomatch = true,
                _ => panic!("no setting {setting:?}"),
            }
        }
        for clause in state
            .split(';')
            .map(str::trim)
            .filter(|clause| !clause.is_empty())
        {
            example.read_clause(clause);
        }
        example
    }

    fn read_clause(&mut self, clause: &str) {
        let words: Vec<_> = clause.split_whitespace().collect();
        match words[..] {
            ["M", "off"] => self.settings.mms_converter = false,
            ["alert"] => self.settings.preregistration_alert = true,
            ["media"] => self.has_media = true,
            ["MMS", "in", country] => {
                self.world.mms.insert(world::country(country));
            }
            ["from", name] => self.from = Some(world::sender(name, 0).address),
            ["mapping", name] => self.map(world::no(name)),
            ["message"] => self.follow(),
            [name, "joins"] => self.join(name),
            [name, "leaves"] => {
                self.pool.remove(world::no(name)).unwrap();
            }
            ["S", "off"] => self.settings.sticky_sender = false,
            ["S", "on"] => self.settings.sticky_sender = true,
            [days, "days"] => self.now_ms += days.parse::<Millis>().unwrap() * world::DAY_MS,
            ["network", "without", name] => {
                self.recipient.network = Some(Network::new(310, 260).unwrap());
                self.world.not_served.insert(world::no(name));
            }
            [word @ ("suspended" | "porting" | "pending"), name] => {
                let mut sender = self.pool.remove(world::no(name)).unwrap();
                sender.status = SenderStatus::parse(word).unwrap();
                self.pool.insert(sender);
            }
            [name, "capped"] => self.queue(name).is_capped = true,
            [name, "full"] => self.queue(name).is_full = true,
            [name, "used", at] => self.queue(name).last_used = at.parse().unwrap(),
            [name, segments, "queued"] => {
                let queued_segments = segments.parse().unwrap();
                *self.queue(name) = QueueLoad {
                    queued_segments,
                    drain_ms: queued_segments * 100,
                    ..QueueLoad::default()
                };
            }
            [name, count, "mappings"] => {
                self.world
                    .mappings
                    .insert(world::no(name), count.parse().unwrap());
            }
            _ => panic!("no clause {clause:?}"),
        }
    }

    fn join(&mut self, name: &str) {
        self.places += 1;
        self.pool.insert(world::sender(name, self.places));
    }

    /// The recipient knows the service by this member of the pool.
    fn map(&mut self, sender: SenderNo) {
        self.mapping = Some(StickyMapping {
            sender,
            position: self.pool.get(sender).unwrap().position,
            last_used_ms: self.now_ms,
        });
    }

    /// A message is sent, and the mapping is what its decision says.
    fn follow(&mut self) {
        let decision = self.decide().unwrap();
        match decision.sticky {
            StickyAction::Ignore | StickyAction::Keep => {}
            StickyAction::Touch | StickyAction::Write | StickyAction::Replace(_) => {
                self.map(decision.chosen().unwrap());
            }
            StickyAction::Delete(_) => self.mapping = None,
        }
    }

    fn queue(&mut self, name: &str) -> &mut QueueLoad {
        self.world.queues.entry(world::no(name)).or_default()
    }

    fn decide(&self) -> Result<Decision, ErrorCode> {
        let facts = Facts {
            recipient: self.recipient,
            from: self.from.as_ref(),
            has_media: self.has_media,
            settings: self.settings,
            mapping: self.mapping,
            now_ms: self.now_ms,
            detail: Detail::Compact,
        };
        select(&self.pool, &facts, &self.world, &self.world)
    }

    /// The last three columns.
    fn run(&self) -> [String; 3] {
        let decision = match self.decide() {
            Ok(decision) => decision,
            Err(error) => return [format!("400 {error}"), String::new(), String::new()],
        };
        let (chosen, rule) = match decision.outcome {
            Outcome::Chosen { sender, rule } => (world::name(sender).to_owned(), rule.as_str()),
            Outcome::None { error } => (format!("fail {error}"), ""),
        };
        let sticky = Some(decision.sticky).filter(|&sticky| sticky != StickyAction::Ignore);
        let sticky = sticky.map(|sticky| sticky.as_str().to_owned());
        let warning = decision.warning.map(|warning| format!("warning {warning}"));
        let as_sms = decision.is_converted_to_sms.then(|| "as SMS".to_owned());
        let also: Vec<_> = [sticky, warning, as_sms].into_iter().flatten().collect();
        [chosen, rule.to_owned(), also.join(", ")]
    }
}
