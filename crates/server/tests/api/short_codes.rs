//! Short codes, as Twilio's API shows them and as ours makes them.

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of};

#[tokio::test]
async fn a_short_code_is_made_here_and_shown_there() {
    let world = World::new().await;
    let sid = world.short_code("55501").await;
    let path = world.list(&format!("SMS/ShortCodes/{sid}"));
    let code = world.get(&path).await.ok();
    assert_shape(&code, shapes::SHORT_CODE);
    assert_eq!(code["short_code"], "55501");
    assert_eq!(code["uri"], path);
    let fields = [
        ("FriendlyName", "Alerts"),
        ("SmsUrl", "https://example.com/sms"),
    ];
    let updated = world.post(&path, &fields).await.ok();
    assert_shape(&updated, shapes::SHORT_CODE);
    assert_eq!(updated["friendly_name"], "Alerts");
    assert_eq!(updated["sms_url"], "https://example.com/sms");
    world
        .post(&path, &[("SmsUrl", "nowhere")])
        .await
        .refused(400, 21402);
}

#[tokio::test]
async fn short_codes_are_listed_and_filtered() {
    let world = World::new().await;
    for code in ["55501", "55502", "60001"] {
        world.short_code(code).await;
    }
    for (query, codes) in [
        ("", &["60001", "55502", "55501"][..]),
        ("ShortCode=555", &["55502", "55501"]),
        ("ShortCode=*0001", &["60001"]),
        ("FriendlyName=55501", &["55501"]),
    ] {
        let path = format!("{}?{query}", world.list("SMS/ShortCodes"));
        let page = world.get(&path).await.ok();
        let found = list_of(&page, "short_codes");
        assert_eq!(column(found, "short_code"), codes, "{query}");
    }
    world
        .get(&world.list("SMS/ShortCodes/SC00000000000000000000000000000000"))
        .await
        .refused(404, 20404);
}
