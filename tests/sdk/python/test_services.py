"""Every field of a Messaging Service: given, changed, cleared, refused, and what it does. api.md 8.2."""

import datetime

import pytest

from harness.numbers import us_number
from self_hosted import by_http_client

URL = "https://example.com/hook?a=b%20c"

# What a customer may set: the SDK's name, the default, another value.
SETTINGS = [
    ("inbound_request_url", None, URL),
    ("inbound_method", "POST", "GET"),
    ("fallback_url", None, URL),
    ("fallback_method", "POST", "GET"),
    ("status_callback", None, URL + "#rc=2"),
    ("sticky_sender", True, False),
    ("mms_converter", True, False),
    ("smart_encoding", True, False),
    ("scan_message_content", "inherit", "disable"),
    ("fallback_to_long_code", False, True),
    ("area_code_geomatch", True, False),
    ("validity_period", 36000, 60),
    ("synchronous_validation", False, True),
    ("usecase", "undeclared", "marketing"),
    ("use_inbound_webhook_on_number", True, False),
]
DEFAULTS = {name: default for name, default, _ in SETTINGS}
OTHERS = {name: other for name, _, other in SETTINGS}


def shown(service):
    return {name: getattr(service, name) for name in DEFAULTS}


def test_every_setting_is_kept_as_it_was_created(account):
    services = account.client.messaging.v1.services
    plain = services.create(friendly_name="plain")
    assert shown(plain) == DEFAULTS
    created = services.create(friendly_name="all else", **OTHERS)
    assert shown(created) == OTHERS
    assert shown(services(created.sid).fetch()) == OTHERS
    listed = {service.sid: shown(service) for service in services.list()}
    assert listed == {plain.sid: DEFAULTS, created.sid: OTHERS}


@pytest.mark.parametrize("name, default, other", SETTINGS, ids=[row[0] for row in SETTINGS])
def test_a_setting_is_changed_alone_and_cleared(account, name, default, other):
    services = account.client.messaging.v1.services
    service = account.service()
    changed = DEFAULTS | {name: other}
    assert shown(service.update(**{name: other})) == changed
    assert shown(services(service.sid).fetch()) == changed
    assert shown(services(service.sid).update(friendly_name="another")) == changed
    cleared = services(service.sid).update(**{name: ""})
    assert getattr(cleared, name) == default
    assert shown(services(service.sid).fetch()) == DEFAULTS


def test_what_a_service_says_of_itself(account):
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
    service = account.service(friendly_name="x" * 64)
    assert service.account_sid == account.account_sid
    assert service.us_app_to_person_registered is False
    assert before <= service.date_created <= service.date_updated
    assert service.url.endswith(f"/messaging/v1/Services/{service.sid}")
    assert service.links == {
        name: f"{service.url}/{path}"
        for name, path in {
            "phone_numbers": "PhoneNumbers",
            "short_codes": "ShortCodes",
            "alpha_senders": "AlphaSenders",
            "destination_alpha_senders": "DestinationAlphaSenders",
            "channel_senders": "ChannelSenders",
            "messages": "Messages",
            "us_app_to_person": "Compliance/Usa2p",
            "us_app_to_person_usecases": "Compliance/Usa2p/Usecases",
        }.items()
    }


USECASES = ["notifications", "marketing", "verification", "discussion", "poll", "undeclared"]


def test_every_use_case_on_offer_is_taken(account):
    offered = account.client.messaging.v1.usecases.fetch().usecases
    assert [usecase["usecase"] for usecase in offered] == USECASES
    service = account.service()
    assert [service.update(usecase=usecase).usecase for usecase in USECASES] == USECASES


REFUSED = [
    ("inbound_request_url", "nowhere", 21402),
    ("inbound_method", "PUT", 21403),
    ("fallback_url", "ftp://example.com", 21402),
    ("fallback_method", "DELETE", 21403),
    ("status_callback", "http://my_host/", 21609),
    ("sticky_sender", "yes", 20001),
    ("mms_converter", "yes", 20001),
    ("smart_encoding", "yes", 20001),
    ("area_code_geomatch", "yes", 20001),
    ("fallback_to_long_code", "yes", 20001),
    ("synchronous_validation", "yes", 20001),
    ("use_inbound_webhook_on_number", "yes", 20001),
    ("scan_message_content", "maybe", 20001),
    ("validity_period", 0, 90007),
    ("validity_period", 36001, 90007),
    ("validity_period", "ten", 90007),
    ("usecase", "spam", 21713),
    ("friendly_name", "x" * 65, 20002),
]


@pytest.mark.parametrize("name, value, code", REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_setting_is_refused_and_changes_nothing(account, refused, name, value, code):
    services = account.client.messaging.v1.services
    service = account.service()
    before = shown(service)
    refused(code, 400, services.create, **{"friendly_name": "bad", name: value})
    refused(code, 400, service.update, **{"friendly_name": "changed", name: value})
    fetched = services(service.sid).fetch()
    assert (fetched.friendly_name, shown(fetched)) == ("test", before)
    assert len(services.list()) == 1


def test_another_accounts_service_is_not_there(server, main, account, refused):
    strange = main.messaging.v1.services.create(friendly_name="strange")
    service = account.client.messaging.v1.services(strange.sid)
    for call in (service.fetch, service.update, service.delete):
        refused(20404, 404, call)
    refused(20404, 404, service.alpha_senders.create, alpha_sender="ACME")
    message = dict(to=us_number(), messaging_service_sid=strange.sid, body="hello")
    refused(21701, (400, 404), account.client.messages.create, **message)
    assert strange.delete() is True


# What settings do to the next message. Those of selection are in test_selection.py.
TEXT = "\N{EN DASH}" * 71


def test_smart_encoding_acts_on_the_next_message(account):
    service = account.service(account.number())
    for is_on, segments, body in [(True, "1", "-" * 71), (False, "2", TEXT), (True, "1", "-" * 71)]:
        service.update(smart_encoding=is_on)
        message = account.sent(service, body=TEXT)
        assert (message.num_segments, message.body) == (segments, body)
        asked = account.ours(
            "POST", "DryRun", To=us_number(), MessagingServiceSid=service.sid, Body=TEXT
        )
        assert asked["is_smart_encoded"] is is_on
        assert asked["encoding"] == ("GSM-7" if is_on else "UCS-2")
    # A message may say otherwise.
    assert account.sent(service, body=TEXT, smart_encoded=False).num_segments == "2"


def test_the_validity_period_acts_on_the_next_message(account):
    """One segment in a thousand seconds: the second message waits, and its time runs out."""
    number = account.enabled(account.number(), Pace="0.001")
    service = account.service(number, validity_period=36000)
    account.client.messages.create(
        to=us_number(), messaging_service_sid=service.sid, body="the first leaves at once"
    )
    service.update(validity_period=1)
    late = account.client.messages.create(
        to=us_number(), messaging_service_sid=service.sid, body="hello"
    )
    assert account.settled(late, "failed").error_code == 30036


def test_the_status_callback_acts_on_the_next_message(account, receiver):
    first, second = receiver.url(), receiver.url()
    service = account.service(account.number(), status_callback=first)
    account.sent(service)
    receiver.wait_for(first, "delivered")
    service.update(status_callback=second)
    account.sent(service)
    receiver.wait_for(second, "delivered")
    service.update(status_callback="")
    account.sent(service)
    assert receiver.statuses(first) == receiver.statuses(second) == ["queued", "sent", "delivered"]


def test_a_change_by_one_client_counts_for_all(server, account):
    """Many changes, each followed by a message of another client: none is chosen by an old setting."""
    other = by_http_client(server.url, account.account_sid, account.auth_token)
    far, near = account.number("+12125550177"), account.number("+16285550177")
    service = account.service(far, near, sticky_sender=False, area_code_geomatch=False)
    account.client.messages.create(  # the far one was used last, so the near one would be next
        to="+12125550178", messaging_service_sid=service.sid, body="hello"
    )
    for _ in range(10):
        service.update(area_code_geomatch=True)
        to = us_number()
        sent = other.messages.create(to=to, messaging_service_sid=service.sid, body="hello")
        assert other.messages(sent.sid).fetch().from_ == near.phone_number
        service.update(area_code_geomatch=False)
        sent = other.messages.create(to=to, messaging_service_sid=service.sid, body="hello")
        explained = account.ours("GET", f"Explain/{sent.sid}")["decision"]
        assert "area_code_overlay" not in [step["rule"] for step in explained["steps"]]


def test_the_console_switch_of_a_service(account, refused):
    service = account.service()
    path = f"Services/{service.sid}"
    assert account.ours("GET", path)["sender_id_prereg_alert"] is False
    for given, is_on in [("true", True), ("false", False), ("TRUE", True), ("", False)]:
        assert account.ours("POST", path, SenderIdPreregAlert=given)["sender_id_prereg_alert"] is is_on
        assert account.ours("GET", path)["sender_id_prereg_alert"] is is_on
    refusal = account.ours("POST", path, status=400, SenderIdPreregAlert="yes")
    assert refusal["code"] == 20001
    assert account.ours("DELETE", path, status=405)["code"] == 20004
    assert account.ours("GET", f"Services/MG{'0' * 32}", status=404)["code"] == 20404


def test_a_service_that_is_deleted_takes_its_memory_along(account):
    number, recipient = account.number(), us_number()
    service = account.service(number)
    account.sent(service, recipient)
    assert service.delete() is True
    path = f"StickySenders/{service.sid}/%2B{recipient[1:]}"
    assert account.ours("GET", path, status=404)["code"] == 20404
    again = account.service(number)
    assert account.sticky_sender(again, recipient) is None
    assert account.sent(again, recipient).from_ == number.phone_number
