"""Registrations of US traffic: records that are kept, shown and changed."""

import pytest

CAMPAIGN = {
    "description": "Send marketing messages about sales to customers who opted in.",
    "message_flow": "End users opt in by visiting www.example.com and adding their number.",
    "message_samples": ["EXPRESS: Denim Days Event is ON", "LAST CHANCE: Book your next flight"],
    "us_app_to_person_usecase": "MARKETING",
    "has_embedded_links": True,
    "has_embedded_phone": False,
    "opt_in_keywords": ["START", "JOIN"],
}


@pytest.fixture
def brand(account):
    return account.client.messaging.v1.brand_registrations.create(
        customer_profile_bundle_sid="BU" + 32 * "1", a2p_profile_bundle_sid="BU" + 32 * "2"
    )


def test_use_cases_are_listed(account):
    service = account.service()
    usecases = account.client.messaging.v1.usecases.fetch().usecases
    assert "marketing" in [usecase["usecase"] for usecase in usecases]
    campaigns = account.client.messaging.v1.services(service.sid).us_app_to_person_usecases
    codes = [usecase["code"] for usecase in campaigns.fetch().us_app_to_person_usecases]
    assert "MARKETING" in codes


def test_a_brand_is_registered_listed_and_fetched(account, brand, refused):
    assert (brand.status, brand.brand_type, brand.mock) == ("PENDING", "STANDARD", False)
    brands = account.client.messaging.v1.brand_registrations
    assert [listed.sid for listed in brands.list()] == [brand.sid]
    assert brands(brand.sid).fetch().a2p_profile_bundle_sid == "BU" + 32 * "2"
    refused(21725, 400, brands(brand.sid).update)


def test_a_campaign_is_registered_listed_fetched_changed_and_removed(account, brand, refused):
    service = account.service()
    campaigns = account.client.messaging.v1.services(service.sid).us_app_to_person
    campaign = campaigns.create(brand_registration_sid=brand.sid, **CAMPAIGN)
    assert campaign.sid.startswith("QE")
    assert campaign.campaign_status == "PENDING"
    assert campaign.message_samples == CAMPAIGN["message_samples"]
    assert campaign.opt_in_keywords == ["START", "JOIN"]
    assert [listed.sid for listed in campaigns.list()] == [campaign.sid]
    assert campaigns(campaign.sid).fetch().brand_registration_sid == brand.sid
    changed = campaigns(campaign.sid).update(
        has_embedded_links=False,
        has_embedded_phone=False,
        message_samples=CAMPAIGN["message_samples"],
        message_flow=CAMPAIGN["message_flow"],
        description=CAMPAIGN["description"],
        age_gated=True,
        direct_lending=False,
    )
    assert (changed.age_gated, changed.has_embedded_links) == (True, False)
    refused(20409, 409, campaigns.create, brand_registration_sid=brand.sid, **CAMPAIGN)
    assert campaigns(campaign.sid).delete() is True
    refused(20404, 404, campaigns(campaign.sid).fetch)
    too_short = CAMPAIGN | {"description": "Sales"}
    refused(21728, 400, campaigns.create, brand_registration_sid=brand.sid, **too_short)


def test_a_campaign_registered_elsewhere_counts(account):
    service = account.service()
    services = account.client.messaging.v1.services
    account.client.messaging.v1.external_campaign.create(
        campaign_id="CABC123", messaging_service_sid=service.sid
    )
    assert services(service.sid).fetch().us_app_to_person_registered is True


# What a campaign may have more, and what its update may change.
MORE = {
    "subscriber_opt_in": True,
    "age_gated": True,
    "direct_lending": True,
    "opt_in_message": "Acme: you are in. Reply STOP to leave.",
    "opt_out_message": "Acme: you are out. Reply START to join.",
    "help_message": "Acme: write to help@example.com for help.",
    "opt_out_keywords": ["STOP"],
    "help_keywords": ["HELP", "INFO"],
    "privacy_policy_url": "https://example.com/privacy",
    "terms_and_conditions_url": "https://example.com/terms",
}


def test_every_field_of_a_campaign_is_kept(account, brand):
    campaigns = account.client.messaging.v1.services(account.service().sid).us_app_to_person
    given = CAMPAIGN | MORE
    sid = campaigns.create(brand_registration_sid=brand.sid, **given).sid
    kept = campaigns(sid).fetch()
    assert {name: getattr(kept, name) for name in given} == given


REFUSED = [
    ("description", "x" * 39, 21728),
    ("message_flow", "x" * 39, 21728),
    ("message_samples", ["EXPRESS: Denim Days Event is ON"], 21728),
    ("message_samples", ["short", "too short"], 21728),
    ("us_app_to_person_usecase", "GOSSIP", 21720),
    ("opt_in_message", "too short", 21728),
    ("privacy_policy_url", "nowhere", 21402),
]


@pytest.mark.parametrize("name, value, code", REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_campaign_is_refused(account, brand, refused, name, value, code):
    campaigns = account.client.messaging.v1.services(account.service().sid).us_app_to_person
    bad = CAMPAIGN | {name: value}
    refused(code, 400, campaigns.create, brand_registration_sid=brand.sid, **bad)
    assert campaigns.list() == []


def test_the_operator_writes_down_what_the_registry_said(account, brand):
    """Twilio's updates have no such parameters, so these go by the SDK's request for all the rest."""
    service = account.service()
    campaigns = account.client.messaging.v1.services(service.sid).us_app_to_person
    campaign = campaigns.create(brand_registration_sid=brand.sid, **CAMPAIGN)

    def write_down(url, status, **said):
        answer = account.client.request("POST", url, data=said)
        assert answer.status_code == status, answer.text

    write_down(brand.url, 202, Status="APPROVED", TcrId="BTCR123")
    fetched = account.client.messaging.v1.brand_registrations(brand.sid).fetch()
    assert (fetched.status, fetched.tcr_id) == ("APPROVED", "BTCR123")

    services = account.client.messaging.v1.services
    url = f"{service.url}/Compliance/Usa2p/{campaign.sid}"
    for status, is_registered in [("IN_PROGRESS", False), ("VERIFIED", True), ("SUSPENDED", False)]:
        write_down(url, 200, CampaignStatus=status, CampaignId="CTCR123")
        fetched = campaigns(campaign.sid).fetch()
        assert (fetched.campaign_status, fetched.campaign_id) == (status, "CTCR123")
        assert services(service.sid).fetch().us_app_to_person_registered is is_registered
    # A record blocks nothing.
    service.phone_numbers.create(phone_number_sid=account.number().sid)
    account.sent(service)
