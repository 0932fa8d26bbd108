"""Which alpha senders are registered where, and which messages are warned of for want of it: 30018."""

import pytest
from twilio.base.exceptions import TwilioRestException

from harness.numbers import uk_number
from harness.postrider import Postrider
from harness.waiting import eventually
from self_hosted import by_http_client

EMIRATES = "+971500000098"


@pytest.fixture
def service(account):
    service = account.service()
    service.alpha_senders.create(alpha_sender="ACME")
    account.ours("POST", f"Services/{service.sid}", SenderIdPreregAlert="true")
    return service


def alerts(account):
    return account.client.monitor.v1.alerts.list()


def test_an_entry_is_made_listed_changed_and_removed(account):
    made = account.ours("POST", "RegisteredSenders", Sender="ACME", IsoCountryCode="ae")
    assert (made["sender"], made["iso_country_code"]) == ("ACME", "AE")
    assert (made["status"], made["valid_until"]) == ("registered", None)
    again = account.ours(
        "POST", "RegisteredSenders", Sender="ACME", IsoCountryCode="AE", Status="pending"
    )
    assert (again["sid"], again["status"]) == (made["sid"], "pending")
    other = account.ours("POST", "RegisteredSenders", Sender="ACME", IsoCountryCode="SA")
    path = f"RegisteredSenders/{made['sid']}"
    changed = account.ours("POST", path, Status="registered", ValidUntil="2100-01-01")
    assert changed["valid_until"] == "2100-01-02T00:00:00Z", "a day counts to its end"
    assert account.ours("GET", path) == changed
    assert account.ours("POST", path, ValidUntil="")["valid_until"] is None
    for filters, expected in [
        ({}, [other["sid"], made["sid"]]),
        ({"IsoCountryCode": "AE"}, [made["sid"]]),
        ({"Sender": "ACME"}, [other["sid"], made["sid"]]),
        ({"Sender": "Acme"}, []),
    ]:
        page = account.ours("GET", "RegisteredSenders", params=filters)
        assert [entry["sid"] for entry in page["registered_senders"]] == expected, filters
    assert account.ours("DELETE", path) is None
    assert account.ours("GET", path, status=404)["code"] == 20404


@pytest.mark.parametrize(
    "fields",
    [
        dict(Sender="ACME"),
        dict(IsoCountryCode="AE"),
        dict(Sender="ACME", IsoCountryCode="Emirates"),
        dict(Sender="12345", IsoCountryCode="AE"),
        dict(Sender="ACME", IsoCountryCode="AE", Status="maybe"),
        dict(Sender="ACME", IsoCountryCode="AE", ValidUntil="tomorrow"),
    ],
)
def test_a_bad_entry_is_refused(account, fields):
    assert account.ours("POST", "RegisteredSenders", status=400, **fields)["code"] == 20001
    assert account.ours("GET", "RegisteredSenders")["registered_senders"] == []


# What is recorded, and whether a message of ACME to the Emirates is warned of.
RECORDS = [
    ("nothing", [], True),
    ("registered", [dict(Sender="ACME", IsoCountryCode="AE")], False),
    ("pending", [dict(Sender="ACME", IsoCountryCode="AE", Status="pending")], True),
    ("rejected", [dict(Sender="ACME", IsoCountryCode="AE", Status="rejected")], True),
    ("until yesterday", [dict(Sender="ACME", IsoCountryCode="AE", ValidUntil="2020-01-01")], True),
    ("until some day", [dict(Sender="ACME", IsoCountryCode="AE", ValidUntil="2100-01-01")], False),
    ("elsewhere", [dict(Sender="ACME", IsoCountryCode="SA")], True),
    ("another name", [dict(Sender="Acme", IsoCountryCode="AE")], True),
]


@pytest.mark.parametrize("_, records, is_warned", RECORDS, ids=[row[0] for row in RECORDS])
def test_only_what_is_registered_there_and_now_is_not_warned_of(
    account, service, _, records, is_warned
):
    for record in records:
        account.ours("POST", "RegisteredSenders", **record)
    for _ in range(2):
        assert account.sent(service, EMIRATES).from_ == "ACME"
    # An alert is there within half a second. One of another sort, made later, tells that none is to come.
    empty = account.service()
    empty.alpha_senders.create(alpha_sender="ACME")
    account.sent(empty, "+14155550097", status="failed")
    seen = eventually(
        lambda: [alert.error_code for alert in alerts(account)],
        lambda codes: "21703" in codes,
        what="the later alert",
    )
    assert seen == (["21703", "30018"] if is_warned else ["21703"]), "once a day at most"


# Nothing to be warned of: the alert is off, the country wants nothing registered, or no name is used.
@pytest.mark.parametrize("case", ["off", "France", "a number"])
def test_no_warning_where_none_is_due(account, service, case):
    to = EMIRATES
    if case == "off":
        account.ours("POST", f"Services/{service.sid}", SenderIdPreregAlert="")
    elif case == "France":
        to = "+33700000098"
    else:
        number = account.number(uk_number())
        service.phone_numbers.create(phone_number_sid=number.sid)
        service.alpha_senders(service.alpha_senders.list()[0].sid).delete()
    sent = account.sent(service, to)
    assert account.ours("GET", f"Explain/{sent.sid}")["decision"]["warning_code"] is None
    assert alerts(account) == []


def test_a_name_that_the_request_gives_is_warned_of_too(account, service):
    sent = account.sent(service, EMIRATES, from_="ACME")
    (alert,) = eventually(lambda: alerts(account), lambda found: len(found) == 1, what="an alert")
    assert (alert.error_code, alert.log_level) == ("30018", "warning")
    assert (alert.resource_sid, alert.service_sid) == (sent.sid, service.sid)
    assert account.client.messages(sent.sid).fetch().error_code is None


def test_an_operator_may_have_such_messages_fail(tmp_path):
    server = Postrider(tmp_path, "[compliance]\nrefuse_unregistered_alpha = true\n").start()
    client = by_http_client(server.url, server.account_sid, server.auth_token)
    service = client.messaging.v1.services.create(friendly_name="strict")
    service.alpha_senders.create(alpha_sender="ACME")
    message = dict(to=EMIRATES, messaging_service_sid=service.sid, body="hello")

    def settled():
        sent = client.messages.create(**message)
        look = client.messages(sent.sid).fetch
        return eventually(look, lambda it: it.status in ("failed", "delivered"), what="an end")

    # Whether the service asks for an alert makes no difference.
    assert (settled().status, settled().error_code) == ("failed", 30040)
    server.extension(f"Services/{service.sid}", SenderIdPreregAlert="true")
    assert (settled().status, settled().error_code) == ("failed", 30040)
    with pytest.raises(TwilioRestException) as raised:
        client.messages.create(to=EMIRATES, from_="ACME", body="hello")
    assert (raised.value.code, raised.value.status) == (30040, 400)
    registered = {"Sender": "ACME", "IsoCountryCode": "AE"}
    server.extension("RegisteredSenders", **registered)
    assert (settled().status, settled().error_code) == ("delivered", None)
    # The log says what a reload changed, and only then.
    for strict, changes in [("true", 0), ("false", 1), ("false", 1), ("true", 2)]:
        before = server.log_count("are reloaded")
        server.configure(f"[compliance]\nrefuse_unregistered_alpha = {strict}\n")
        server.reload()
        eventually(
            lambda at=before: server.log_count("are reloaded") > at
            and server.log_count("[compliance] is reloaded") == changes,
            what=f"{changes} changes of [compliance] in the log",
        )
    server.stop()
