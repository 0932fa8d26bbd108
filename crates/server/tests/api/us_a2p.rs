//! Use cases, and the registrations of US traffic: brands and campaigns.

use serde_json::{Value, json};

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of_v1};

const BRANDS: &str = "/v1/a2p/BrandRegistrations";
const CUSTOMER: (&str, &str) = (
    "CustomerProfileBundleSid",
    "BU00000000000000000000000000000001",
);
const A2P: (&str, &str) = ("A2PProfileBundleSid", "BU00000000000000000000000000000002");

async fn brand(world: &World) -> String {
    let created = world.post(BRANDS, &[CUSTOMER, A2P]).await.created();
    created["sid"].as_str().unwrap().to_owned()
}

const DESCRIPTION: &str = "Send marketing messages about sales to customers who opted in.";
const FLOW: &str = "End users opt in by visiting www.example.com and adding their phone number.";
const SAMPLES: [&str; 2] = [
    "EXPRESS: Denim Days Event is ON",
    "LAST CHANCE: Book your next flight",
];

/// What a campaign needs.
fn campaign(brand: &str) -> Vec<(&str, &str)> {
    vec![
        ("BrandRegistrationSid", brand),
        ("Description", DESCRIPTION),
        ("MessageFlow", FLOW),
        ("MessageSamples", SAMPLES[0]),
        ("MessageSamples", SAMPLES[1]),
        ("UsAppToPersonUsecase", "MARKETING"),
        ("HasEmbeddedLinks", "true"),
        ("HasEmbeddedPhone", "false"),
    ]
}

#[tokio::test]
async fn use_cases_are_listed() {
    let world = World::new().await;
    let answer = world.get("/v1/Services/Usecases").await.ok();
    let usecases = answer["usecases"].as_array().unwrap();
    let words = column(usecases, "usecase");
    for word in &words {
        let fields = [("FriendlyName", "S"), ("Usecase", word)];
        let service = world.post("/v1/Services", &fields).await.created();
        assert_eq!(service["usecase"], *word);
    }
    assert_eq!(words.len(), 6);
    assert_shape(&usecases[0], &["usecase", "description", "purpose"]);
    world
        .post("/v1/Services/Usecases", &[])
        .await
        .refused(405, 20004);

    let path = format!(
        "/v1/Services/{}/Compliance/Usa2p/Usecases",
        world.service().await
    );
    let answer = world.get(&path).await.ok();
    let usecases = answer["us_app_to_person_usecases"].as_array().unwrap();
    let shape = ["code", "name", "description", "post_approval_required"];
    assert_shape(&usecases[0], &shape);
    let brand = brand(&world).await;
    for code in column(usecases, "code") {
        let path = format!("/v1/Services/{}/Compliance/Usa2p", world.service().await);
        let mut fields = campaign(&brand);
        fields.retain(|(name, _)| *name != "UsAppToPersonUsecase");
        fields.push(("UsAppToPersonUsecase", code));
        let created = world.post(&path, &fields).await.created();
        assert_eq!(created["us_app_to_person_usecase"], code);
    }
}

#[tokio::test]
async fn a_campaign_is_kept_and_its_status_is_the_operators_word() {
    let world = World::new().await;
    let brand = brand(&world).await;
    let service = format!("/v1/Services/{}", world.service().await);
    let campaigns = format!("{service}/Compliance/Usa2p");
    let page = world.get(&campaigns).await.ok();
    assert!(list_of_v1(&page, "compliance").is_empty());
    let mut fields = campaign(&brand);
    fields.extend([
        ("OptInMessage", "Acme: You are now opted in."),
        ("OptInKeywords", "START"),
        ("OptInKeywords", "JOIN"),
        ("PrivacyPolicyUrl", "https://example.com/privacy"),
        ("SubscriberOptIn", "true"),
    ]);
    let created = world.post(&campaigns, &fields).await.created();
    assert_shape(&created, shapes::CAMPAIGN);
    for (key, value) in [
        ("account_sid", json!(world.sid)),
        ("brand_registration_sid", json!(brand)),
        ("description", json!(DESCRIPTION)),
        ("message_flow", json!(FLOW)),
        ("message_samples", json!(SAMPLES)),
        ("us_app_to_person_usecase", json!("MARKETING")),
        ("has_embedded_links", json!(true)),
        ("has_embedded_phone", json!(false)),
        ("subscriber_opt_in", json!(true)),
        ("age_gated", json!(false)),
        ("campaign_status", json!("PENDING")),
        ("campaign_id", Value::Null),
        ("is_externally_registered", json!(false)),
        ("opt_in_message", json!("Acme: You are now opted in.")),
        ("opt_in_keywords", json!(["START", "JOIN"])),
        ("opt_out_keywords", json!([])),
        ("privacy_policy_url", json!("https://example.com/privacy")),
        ("errors", json!([])),
    ] {
        assert_eq!(created[key], value, "{key}");
    }
    let path = format!("{campaigns}/{}", created["sid"].as_str().unwrap());
    assert_eq!(created["url"], format!("http://localhost:8080{path}"));
    assert_eq!(world.get(&path).await.ok(), created);
    let page = world.get(&campaigns).await.ok();
    assert_eq!(list_of_v1(&page, "compliance"), [created]);
    // One at a time.
    let again = world.post(&campaigns, &campaign(&brand)).await;
    again.refused(409, 20409);

    let registered = async || world.get(&service).await.ok()["us_app_to_person_registered"].clone();
    assert_eq!(registered().await, false);
    let verdict = [("CampaignStatus", "VERIFIED"), ("CampaignId", "CABC123")];
    let updated = world.post(&path, &verdict).await.ok();
    assert_eq!(updated["campaign_status"], "VERIFIED");
    assert_eq!(updated["campaign_id"], "CABC123");
    assert_eq!(updated["description"], DESCRIPTION);
    assert_eq!(registered().await, true);
    let fields = [("OptInKeywords", ""), ("AgeGated", "true")];
    let updated = world.post(&path, &fields).await.ok();
    assert_eq!(updated["opt_in_keywords"], json!([]));
    assert_eq!(updated["age_gated"], true);

    world.delete(&path).await.gone();
    world.get(&path).await.refused(404, 20404);
    assert_eq!(registered().await, false);
    let created = world.post(&campaigns, &campaign(&brand)).await.created();
    // A campaign goes with its service.
    world.delete(&service).await.gone();
    let sid = created["sid"].as_str().unwrap().parse().unwrap();
    assert!(world.engine().directory().campaign(sid).is_none());
}

#[tokio::test]
async fn a_bad_campaign_is_refused() {
    let mut world = World::new().await;
    let brand = brand(&world).await;
    let service = world.service().await;
    let path = format!("/v1/Services/{service}/Compliance/Usa2p");
    for (name, _) in campaign(&brand) {
        let mut fields = campaign(&brand);
        fields.retain(|(field, _)| *field != name);
        world.post(&path, &fields).await.refused(400, 21727);
    }
    let long = "x".repeat(4_097);
    // Columns: parameter, values in place of the good ones, code.
    let rows: &[(&str, &[&str], u32)] = &[
        ("BrandRegistrationSid", &["BN1"], 20423),
        (
            "BrandRegistrationSid",
            &["BN00000000000000000000000000000000"],
            21717,
        ),
        ("Description", &[&long[..39]], 21728),
        ("Description", &[&long], 21728),
        ("MessageFlow", &[&long[..39]], 21728),
        ("MessageFlow", &[&long[..2_049]], 21728),
        ("MessageSamples", &[SAMPLES[0]], 21728),
        ("MessageSamples", &[SAMPLES[0]; 6], 21728),
        ("MessageSamples", &[SAMPLES[0], &long[..19]], 21728),
        ("MessageSamples", &[SAMPLES[0], &long[..1_025]], 21728),
        ("UsAppToPersonUsecase", &["SPAM"], 21720),
        ("HasEmbeddedLinks", &["maybe"], 20001),
        ("AgeGated", &["18"], 20001),
        ("OptInMessage", &[&long[..19]], 21728),
        ("HelpMessage", &[&long[..321]], 21728),
        ("OptOutKeywords", &[&long[..128], &long[..127]], 21728),
        ("PrivacyPolicyUrl", &["nowhere"], 21402),
        ("CampaignStatus", &["GOOD"], 20001),
        ("CampaignId", &[&long[..65]], 21728),
    ];
    for (name, values, code) in rows {
        let mut fields = campaign(&brand);
        fields.retain(|(field, _)| field != name);
        fields.extend(values.iter().map(|value| (*name, *value)));
        let answer = world.post(&path, &fields).await;
        assert_eq!(answer.json["code"], *code, "{name}: {}", answer.text);
        answer.refused(400, *code);
    }
    let page = world.get(&path).await.ok();
    assert!(list_of_v1(&page, "compliance").is_empty());
    // The longest there may be.
    let mut fields = campaign(&brand);
    fields.retain(|(name, _)| *name != "Description" && *name != "MessageFlow");
    fields.extend([
        ("Description", &long[..4_096]),
        ("MessageFlow", &long[..2_048]),
        ("OptOutKeywords", &long[..255]),
    ]);
    world.post(&path, &fields).await.created();

    // A brand of another account is none.
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    let path = format!("/v1/Services/{}/Compliance/Usa2p", world.service().await);
    let answer = world.post(&path, &campaign(&brand)).await;
    answer.refused(400, 21717);
    let other = format!("/v1/Services/{service}/Compliance/Usa2p");
    world.get(&other).await.refused(404, 20404);
}

#[tokio::test]
async fn a_campaign_may_be_registered_elsewhere() {
    let world = World::new().await;
    let service = world.service().await;
    let path = "/v1/Services/PreregisteredUsa2p";
    let id = ("CampaignId", "CABC123");
    let of_service = ("MessagingServiceSid", service.as_str());
    for (fields, status, code) in [
        (vec![of_service], 400, 20001),
        (vec![id], 400, 20001),
        (vec![id, ("MessagingServiceSid", "MG1")], 400, 21705),
        (
            vec![
                id,
                ("MessagingServiceSid", "MG00000000000000000000000000000000"),
            ],
            400,
            21701,
        ),
    ] {
        world.post(path, &fields).await.refused(status, code);
    }
    let created = world.post(path, &[id, of_service]).await.created();
    let shape = [
        "sid",
        "account_sid",
        "campaign_id",
        "messaging_service_sid",
        "date_created",
    ];
    assert_shape(&created, &shape);
    let sid = created["sid"].as_str().unwrap();
    let campaign = format!("/v1/Services/{service}/Compliance/Usa2p/{sid}");
    let campaign = world.get(&campaign).await.ok();
    assert_eq!(campaign["is_externally_registered"], true);
    assert_eq!(campaign["campaign_status"], "VERIFIED");
    assert_eq!(campaign["brand_registration_sid"], Value::Null);
}

#[tokio::test]
async fn a_brand_is_kept() {
    let mut world = World::new().await;
    let created = world.post(BRANDS, &[CUSTOMER, A2P]).await.created();
    assert_shape(&created, shapes::BRAND);
    assert_shape(&created["links"], shapes::BRAND_LINKS);
    for (key, value) in [
        ("customer_profile_bundle_sid", json!(CUSTOMER.1)),
        ("a2p_profile_bundle_sid", json!(A2P.1)),
        ("brand_type", json!("STANDARD")),
        ("status", json!("PENDING")),
        ("mock", json!(false)),
        ("skip_automatic_sec_vet", json!(false)),
        ("tcr_id", Value::Null),
    ] {
        assert_eq!(created[key], value, "{key}");
    }
    let path = format!("{BRANDS}/{}", created["sid"].as_str().unwrap());
    assert_eq!(world.get(&path).await.ok(), created);
    let other = [CUSTOMER, A2P, ("BrandType", "SOLE_PROPRIETOR")];
    world.post(BRANDS, &other).await.created();
    let page = world.get(BRANDS).await.ok();
    let types = column(list_of_v1(&page, "data"), "brand_type");
    assert_eq!(types, ["SOLE_PROPRIETOR", "STANDARD"]);

    // As at Twilio only a brand that failed is submitted again.
    world.post(&path, &[]).await.refused(400, 21725);
    let failed = world.post(&path, &[("Status", "FAILED")]).await.taken();
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(world.post(&path, &[]).await.taken()["status"], "PENDING");
    let verdict = [("Status", "APPROVED"), ("TcrId", "BABC123")];
    let approved = world.post(&path, &verdict).await.taken();
    assert_eq!(approved["status"], "APPROVED");
    assert_eq!(approved["tcr_id"], "BABC123");

    let long = "x".repeat(65);
    for (path, fields, code) in [
        (BRANDS, vec![CUSTOMER], 20001),
        (BRANDS, vec![A2P], 20001),
        (
            BRANDS,
            vec![CUSTOMER, ("A2PProfileBundleSid", "BU1")],
            20423,
        ),
        (BRANDS, vec![CUSTOMER, A2P, ("BrandType", "OTHER")], 20001),
        (BRANDS, vec![CUSTOMER, A2P, ("Mock", "perhaps")], 20001),
        (&path, vec![("Status", "GOOD")], 20001),
        (&path, vec![("TcrId", long.as_str())], 21658),
    ] {
        world.post(path, &fields).await.refused(400, code);
    }
    world.delete(&path).await.refused(405, 20004);
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get(&path).await.refused(404, 20404);
}
