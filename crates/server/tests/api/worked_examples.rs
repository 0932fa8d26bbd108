//! The worked examples of `docs/worked-examples.md` through the API: senders are registered, join a
//! pool and are texted as a customer would do it, and the message is explained afterwards.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use crate::networks::world_with_table;
use crate::world::World;

const PAGE: &str = include_str!("../../../../docs/worked-examples.md");

#[tokio::test]
async fn every_worked_example_comes_out_through_the_api() {
    let (senders, examples) = PAGE.split_once("## Examples").unwrap();
    let senders: BTreeMap<_, _> = rows(senders).map(|row| (row[0], row)).collect();
    let mut count = 0;
    for row in rows(examples) {
        let [number, pool, state, to, chosen, rule, also] = row[..] else {
            panic!("not seven columns: {row:?}")
        };
        let example = Example::set_up(&senders, pool, state, to).await;
        let outcome = example.run().await;
        // No carrier takes media yet: the message fails all the same, and its recipient learns nothing.
        let also = if example.has_media {
            also.trim_start_matches("write").trim_start_matches(", ")
        } else {
            also
        };
        let expected = [chosen, rule, also].map(str::to_owned);
        assert_eq!(outcome, expected, "row {number}: {row:?}");
        count += 1;
    }
    assert_eq!(count, 50);
}

/// The explained ones of `docs/sender-selection.md`: each names a row, and shows what
/// `postrider explain` prints where its message would be next.
#[tokio::test]
async fn the_explained_examples_are_what_is_printed() {
    let (senders, examples) = PAGE.split_once("## Examples").unwrap();
    let senders: BTreeMap<_, _> = rows(senders).map(|row| (row[0], row)).collect();
    let page = include_str!("../../../../docs/sender-selection.md");
    let (_, section) = page.split_once("## Ten explanations").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut explained = section.split("\n**").skip(1);
    let mut wrong = Vec::new();
    for text in explained.by_ref() {
        let number = text.split(' ').nth(1).unwrap().trim_end_matches(['.', '*']);
        let row = rows(examples).find(|row| row[0] == number).unwrap();
        let example = Example::set_up(&senders, row[1], row[2], row[3]).await;
        let printed = example.explanation().await;
        let shown = text.lines().filter_map(|line| line.strip_prefix("    "));
        if !shown.eq(printed.lines()) {
            wrong.push(format!("{number}:\n{printed}\n"));
        }
    }
    assert!(wrong.is_empty(), "not on the page:\n{}", wrong.concat());
    assert_eq!(section.matches("\n**").count(), 10);
}

/// The cells of the tables in a part of the page, without their headers.
fn rows(part: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = part.lines().filter(|line| line.starts_with('|'));
    lines
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// One row, set up in a world of its own.
struct Example<'a> {
    world: World,
    senders: &'a BTreeMap<&'static str, Vec<&'static str>>,
    service: String,
    to: &'a str,
    from: Option<&'a str>,
    has_media: bool,
    /// Handsets that texted the service beside the recipient.
    strangers: u32,
    /// Paths of the pool's members.
    members: BTreeMap<&'a str, String>,
}

impl<'a> Example<'a> {
    async fn set_up(
        senders: &'a BTreeMap<&'static str, Vec<&'static str>>,
        pool: &'a str,
        state: &'a str,
        to: &'a str,
    ) -> Self {
        let world = world_with_table().await;
        let (settings, state) = state.split_once(';').unwrap_or((state, ""));
        let clauses = state.split(';').map(str::trim);
        let clauses: Vec<&str> = clauses.filter(|clause| !clause.is_empty()).collect();
        let is_set = |setting| settings.split_whitespace().any(|it| it == setting);
        let switch = |is_on: bool| if is_on { "true" } else { "false" };
        let fields = [
            ("FriendlyName", "Examples"),
            ("StickySender", switch(is_set("S"))),
            ("AreaCodeGeomatch", switch(is_set("A"))),
            ("MmsConverter", "true"),
        ];
        let service = world.post("/v1/Services", &fields).await.created();
        let mut example = Self {
            world,
            senders,
            service: service["sid"].as_str().unwrap().to_owned(),
            to,
            from: None,
            has_media: false,
            strangers: 0,
            members: BTreeMap::new(),
        };
        let pool = pool.split(',').map(str::trim);
        let pool: Vec<&str> = pool.filter(|name| !name.is_empty()).collect();
        for name in &pool {
            let is_slow = clauses
                .iter()
                .any(|clause| clause.starts_with(name) && clause.ends_with("queued"));
            example.join(name, is_slow).await;
        }
        for clause in clauses {
            example.apply(clause).await;
        }
        example
    }

    fn address(&self, name: &str) -> &'static str {
        self.senders[name][1]
    }

    /// Registers a sender and puts it into the pool.
    async fn join(&mut self, name: &'a str, is_slow: bool) {
        let [_, address, home, can] = self.senders[name][..] else {
            panic!("not four columns")
        };
        let (pool, parameter, value) = if let Some(number) = address.strip_prefix("whatsapp:") {
            let sid = self.world.whatsapp_sender(number).await;
            ("ChannelSenders", "Sid", Value::from(sid))
        } else if address.starts_with('+') {
            let mut fields = vec![("PhoneNumber", address)];
            if can.contains("MMS") {
                fields.push(("MmsEnabled", "true"));
            }
            if is_slow {
                fields.push(("Pace", "1"));
            }
            let path = self.world.list("IncomingPhoneNumbers");
            let number = self.world.post(&path, &fields).await.created();
            ("PhoneNumbers", "PhoneNumberSid", number["sid"].clone())
        } else if address.bytes().all(|b| b.is_ascii_digit()) {
            let mut fields = vec![("ShortCode", address), ("IsoCountry", home)];
            if can.contains("MMS") {
                fields.push(("MmsEnabled", "true"));
            }
            let code = self.world.post("/x/v1/ShortCodes", &fields).await.created();
            ("ShortCodes", "ShortCodeSid", code["sid"].clone())
        } else if home == "any" {
            ("AlphaSenders", "AlphaSender", Value::from(address))
        } else {
            (
                "DestinationAlphaSenders",
                "AlphaSender",
                Value::from(address),
            )
        };
        let mut fields = vec![(parameter, value.as_str().unwrap())];
        if pool == "DestinationAlphaSenders" {
            fields.push(("IsoCountryCode", home));
        }
        let path = format!("/v1/Services/{}/{pool}", self.service);
        let member = self.world.post(&path, &fields).await.created();
        let member = format!("{path}/{}", member["sid"].as_str().unwrap());
        self.members.insert(name, member);
    }

    async fn text(&self, handset: &str, name: &str) {
        let to = self.address(name);
        self.world.test.inbound(handset, to, "Hello").await;
    }

    async fn set(&self, name: &str, value: &str) {
        let path = format!("/v1/Services/{}", self.service);
        self.world.post(&path, &[(name, value)]).await.ok();
    }

    async fn apply(&mut self, clause: &'a str) {
        match clause.split_whitespace().collect::<Vec<_>>()[..] {
            ["alert"] => {
                let path = format!("/x/v1/Services/{}", self.service);
                let fields = [("SenderIdPreregAlert", "true")];
                self.world.post(&path, &fields).await.ok();
            }
            // The table says that the recipient's is another one.
            ["network", "without", name] => {
                let fields = [
                    ("ShortCode", self.address(name)),
                    ("IsoCountry", self.senders[name][2]),
                    ("ServedNetworks", "310-410"),
                ];
                self.world.post("/x/v1/ShortCodes", &fields).await.created();
            }
            ["media"] => self.has_media = true,
            ["from", name] => self.from = Some(self.address(name)),
            ["mapping", name] => self.text(self.to, name).await,
            [name, "joins"] => self.join(name, false).await,
            [name, "leaves"] => {
                let member = self.members.remove(name).unwrap();
                self.world.delete(&member).await.gone();
            }
            ["S", "off"] => self.set("StickySender", "false").await,
            ["S", "on"] => self.set("StickySender", "true").await,
            ["M", "off"] => self.set("MmsConverter", "false").await,
            [days, "days"] => {
                let days: i64 = days.parse().unwrap();
                self.world.test.clock.advance(days * 24 * 3_600_000);
            }
            [name, count, "mappings"] => {
                for _ in 0..count.parse().unwrap() {
                    self.strangers += 1;
                    let handset = format!("+4477009002{:02}", self.strangers);
                    self.text(&handset, name).await;
                }
            }
            [name, count, "queued"] => {
                let from = self.address(name);
                let fields = [("To", "+447700900300"), ("From", from), ("Body", "Hello")];
                // The first leaves at once.
                for _ in 0..=count.parse().unwrap() {
                    let path = self.world.list("Messages");
                    self.world.post(&path, &fields).await.created();
                }
            }
            _ => panic!("no clause {clause:?}"),
        }
    }

    fn message(&self) -> Vec<(&str, &str)> {
        let mut fields = vec![
            ("To", self.to),
            ("MessagingServiceSid", &self.service),
            ("Body", "Hello"),
        ];
        fields.extend(self.from.map(|from| ("From", from)));
        if self.has_media {
            fields.push(("MediaUrl", "https://example.com/cat.png"));
        }
        fields
    }

    /// For people, of a message that would be next.
    async fn explanation(&self) -> String {
        let request = self.world.request(Method::POST, "/x/v1/Explain");
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/plain");
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.message())
            .finish();
        let answer = self.world.send(request.body(form.into()).unwrap()).await;
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        answer.text
    }

    /// The sender by which the recipient knows the service.
    async fn known(&self) -> Option<String> {
        let (_, digits) = self.to.split_once('+').unwrap();
        let path = format!("/x/v1/StickySenders/{}/%2B{digits}", self.service);
        let answer = self.world.get(&path).await;
        (answer.status != 404).then(|| answer.ok()["from"].as_str().unwrap().to_owned())
    }

    /// The last three columns.
    async fn run(&self) -> [String; 3] {
        let known = self.known().await;
        let fields = self.message();
        let answer = self.world.post(&self.world.list("Messages"), &fields).await;
        if answer.status == 400 {
            let code = format!("400 {}", answer.json["code"]);
            return [code, String::new(), String::new()];
        }
        let message = answer.created();
        let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
        let explained = self.world.get(&path).await.ok();
        let decision = &explained["decision"];
        let winner = &explained["candidates"][0];
        if decision["rule"].is_null() {
            let settled = self.world.settled(&message).await;
            assert_eq!(settled["status"], "failed");
            assert_eq!(settled["error_code"], decision["error_code"]);
            // No carrier takes media yet: who would have had it is the last that is removed.
            if winner["rule"] != "media_not_carried" {
                let error = format!("fail {}", decision["error_code"]);
                return [error, String::new(), String::new()];
            }
            assert_eq!(decision["error_code"], 21612);
        } else {
            assert!(!self.has_media, "{explained}");
            assert_eq!(winner["outcome"], "chosen");
            assert_eq!(winner["rule"], decision["rule"]);
            assert_eq!(explained["from"], winner["sender"]);
        }
        let steps = decision["steps"].as_array().unwrap();
        let rule = steps.last().unwrap()["rule"].as_str().unwrap();
        let expected = match decision["sticky"].as_str().unwrap() {
            "ignore" | "keep" => known,
            "touch" => known.filter(|known| winner["sender"] == **known),
            "write" | "replace" => Some(winner["sender"].as_str().unwrap().to_owned()),
            other => panic!("a sender was chosen, and its mapping: {other}"),
        };
        assert_eq!(self.known().await, expected);
        let also = [
            Some(decision["sticky"].as_str().unwrap().to_owned()).filter(|it| it != "ignore"),
            decision["warning_code"]
                .as_u64()
                .map(|code| format!("warning {code}")),
            (decision["is_converted_to_sms"] == true).then(|| "as SMS".to_owned()),
        ];
        let also: Vec<String> = also.into_iter().flatten().collect();
        let name = self.name(winner["sender"].as_str().unwrap(), rule);
        [name.to_owned(), rule.to_owned(), also.join(", ")]
    }

    /// An alpha sender may have the name of a destination alpha.
    fn name(&self, address: &str, rule: &str) -> &'static str {
        let mut names = self.senders.values().filter(|row| row[1] == address);
        let is_meant = |row: &&Vec<&str>| (row[2] == "any") == (rule == "alpha_sender");
        let only = self
            .senders
            .values()
            .filter(|row| row[1] == address)
            .count()
            == 1;
        names
            .find(|row| only || is_meant(row))
            .unwrap_or_else(|| panic!("no sender {address}"))[0]
    }
}
