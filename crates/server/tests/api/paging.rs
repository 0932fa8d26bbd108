//! Lists by the page: both envelopes, through the whole of a list and back.

use serde_json::Value;

use crate::world::{World, column, list_of, list_of_v1};

/// The path of a link, relative or absolute.
fn path_of(link: &Value) -> Option<String> {
    let link = link.as_str()?;
    Some(
        link.strip_prefix("http://localhost:8080")
            .unwrap_or(link)
            .to_owned(),
    )
}

#[tokio::test]
async fn messages_page_forth_and_back_while_others_arrive() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let send = async || {
        let fields = [
            ("To", "+14155550199"),
            ("From", "+14155550101"),
            ("Body", "Hi"),
        ];
        let created = world.post(&world.list("Messages"), &fields).await.created();
        // Settled, so that a page shows the same when it is fetched again.
        let message = world.settled(&created).await;
        message["sid"].as_str().unwrap().to_owned()
    };
    let mut sids = Vec::new();
    for _ in 0..7 {
        sids.insert(0, send().await);
    }
    let filtered = format!("{}?PageSize=3&To=%2B14155550199", world.list("Messages"));
    let first = world.get(&filtered).await.ok();
    assert_eq!(column(list_of(&first, "messages"), "sid"), &sids[..3]);
    assert_eq!(first["previous_page_uri"], Value::Null);

    // Newer messages move no page.
    send().await;
    let second = path_of(&first["next_page_uri"]).unwrap();
    assert!(
        second.contains("To=%2B14155550199&PageSize=3&Page=1&PageToken=PA"),
        "{second}"
    );
    let second = world.get(&second).await.ok();
    assert_eq!(column(list_of(&second, "messages"), "sid"), &sids[3..6]);
    assert_eq!(second["page"], 1);
    assert_eq!(second["start"], 3);
    assert_eq!(second["end"], 5);

    let third = world
        .get(&path_of(&second["next_page_uri"]).unwrap())
        .await
        .ok();
    assert_eq!(column(list_of(&third, "messages"), "sid"), &sids[6..]);
    assert_eq!(third["next_page_uri"], Value::Null);

    let back = world
        .get(&path_of(&third["previous_page_uri"]).unwrap())
        .await
        .ok();
    assert_eq!(back["messages"], second["messages"]);
    // Its own link leads to itself.
    let again = world.get(&path_of(&back["uri"]).unwrap()).await.ok();
    assert_eq!(again, back);
    let start = world
        .get(&path_of(&back["first_page_uri"]).unwrap())
        .await
        .ok();
    assert_eq!(start["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn services_page_by_absolute_links() {
    let world = World::new().await;
    let mut sids = Vec::new();
    for _ in 0..5 {
        sids.insert(0, world.service().await);
    }
    let mut next = Some("/v1/Services?PageSize=2".to_owned());
    let mut found = Vec::new();
    let mut pages = 0;
    while let Some(path) = next {
        let page = world.get(&path).await.ok();
        let services = list_of_v1(&page, "services");
        found.extend(column(services, "sid").into_iter().map(str::to_owned));
        assert_eq!(page["meta"]["page"], pages);
        assert_eq!(page["meta"]["page_size"], 2);
        pages += 1;
        next = path_of(&page["meta"]["next_page_url"]);
    }
    assert_eq!(found, sids);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn an_exact_fit_has_no_next_page() {
    let world = World::new().await;
    for _ in 0..2 {
        world.service().await;
    }
    let page = world.get("/v1/Services?PageSize=2").await.ok();
    assert_eq!(page["meta"]["next_page_url"], Value::Null);
}

#[tokio::test]
async fn sizes_are_clamped_and_tokens_are_checked() {
    let world = World::new().await;
    for _ in 0..2 {
        world.service().await;
    }
    let page = world.get("/v1/Services?PageSize=5000").await.ok();
    assert_eq!(page["meta"]["page_size"], 1000);
    let page = world.get("/v1/Services").await.ok();
    assert_eq!(page["meta"]["page_size"], 50);
    world
        .get("/v1/Services?PageSize=x")
        .await
        .refused(400, 20001);
    world
        .get("/v1/Services?PageToken=PAnonsense")
        .await
        .refused(400, 20001);
    // A token of one list is no good for another.
    let page = world.get("/v1/Services?PageSize=1").await.ok();
    let next = path_of(&page["meta"]["next_page_url"]).unwrap();
    let token = next.split_once("PageToken=").unwrap().1;
    world
        .get(&format!("{}?PageToken={token}", world.list("Messages")))
        .await
        .refused(400, 20001);
}
