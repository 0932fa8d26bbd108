//! Limits that senders share, as a customer meets them: messages wait in `queued` for their turn.

use std::time::Duration;

use serde_json::Value;

use crate::world::World;

impl World {
    /// How many of these are delivered, once it has been so many for a while.
    async fn delivered(&self, messages: &[Value], expected: usize) {
        let mut delivered = 0;
        for _ in 0..400 {
            delivered = 0;
            for message in messages {
                let now = self.get(message["uri"].as_str().unwrap()).await.ok();
                assert!(
                    now["status"] == "queued" || now["status"] == "delivered",
                    "{now}"
                );
                delivered += usize::from(now["status"] == "delivered");
            }
            if delivered == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{delivered} were delivered instead of {expected}");
    }
}

#[tokio::test]
async fn two_numbers_of_one_account_share_its_rate() {
    let world = World::set_up(|setup| {
        setup.paces.account = 2.0;
    })
    .await;
    let service = world.service_with("+14155550101").await;
    let number = world.number("+14155550102").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let added = world.post(&pool, &[("PhoneNumberSid", &number)]).await;
    added.created();
    let mut messages = Vec::new();
    for recipient in 201..=208 {
        let to = format!("+14155550{recipient}");
        let fields = [
            ("To", &*to),
            ("MessagingServiceSid", &service),
            ("Body", "Hi"),
        ];
        let sent = world.post(&world.list("Messages"), &fields).await;
        messages.push(sent.created());
    }
    for delivered in [2, 4, 6, 8] {
        world.delivered(&messages, delivered).await;
        world.test.clock.advance(1_000);
    }
}

/// A queue is a span of time at the sender's own rate: four hours of WhatsApp, ten of all others, or what
/// the operator says.
#[tokio::test]
async fn a_queue_holds_so_many_seconds_of_its_senders_rate() {
    const SMS: (&str, &str) = ("+14155550101", "+14155550199");
    const WHATSAPP: (&str, &str) = ("whatsapp:+14155550191", "whatsapp:+14155550199");
    // Columns: seconds that two segments take, seconds that queues hold, who to whom, whether a second one
    // fits the queue. The first always does: an empty queue takes any message.
    for (two_segments_s, holds_s, (from, to), fits) in [
        (35_000.0, None, SMS, true),
        (37_000.0, None, SMS, false),
        (100_000.0, None, SMS, false),
        (14_000.0, None, WHATSAPP, true),
        (15_000.0, None, WHATSAPP, false),
        (900.0, Some(1_000), SMS, true),
        (1_100.0, Some(1_000), SMS, false),
        (900.0, Some(1_000), WHATSAPP, true),
        (1_100.0, Some(1_000), WHATSAPP, false),
    ] {
        let segment_s = two_segments_s / 2.0;
        let world = World::set_up(|setup| {
            setup.paces.long_code = Some(1.0 / segment_s);
            setup.paces.whatsapp = 1.0 / segment_s;
            if let Some(holds_s) = holds_s {
                setup.limits.queue_seconds.long_code = holds_s;
                setup.limits.queue_seconds.whatsapp = holds_s;
            }
        })
        .await;
        let service = world.service_with(SMS.0).await;
        let sender = world.whatsapp_sender("+14155550191").await;
        let pool = format!("/v1/Services/{service}/ChannelSenders");
        world.post(&pool, &[("Sid", &sender)]).await.created();
        let row = format!("{two_segments_s} {holds_s:?} {from}");
        let message = [("To", to), ("Body", "Hi")];
        // One that its carrier has at once, and one that waits.
        for has_its_turn in [true, false] {
            let named = [&message[..], &[("From", from)]].concat();
            let named = world.post(&world.list("Messages"), &named).await.created();
            assert_eq!(named["status"], "queued", "{row}");
            if has_its_turn {
                world.settled(&named).await;
            }
        }
        let through = [&message[..], &[("MessagingServiceSid", &*service)]].concat();
        let through = world.post("/x/v1/DryRun", &through).await.ok();
        let named = [&message[..], &[("From", from)]].concat();
        let named = world.post(&world.list("Messages"), &named).await;
        if fits {
            assert_eq!(through["would_be"], "queued", "{row}");
            assert_eq!(named.created()["status"], "queued", "{row}");
        } else {
            assert_eq!(through["error_code"], 30001, "{row}");
            assert_eq!(named.json["code"], 21611, "{row}");
            named.refused(429, 21611);
        }
    }
}
