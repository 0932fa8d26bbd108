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
