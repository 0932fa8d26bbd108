"""Refusals as the SDK's exceptions, with Twilio's code and HTTP status. api.md 6, sending.md 4 and 6.

Where the two pages leave the status or the code open, a row allows both.
"""

import datetime

import pytest
import requests

from harness.numbers import us_number
from self_hosted import by_http_client


def from_now(**span):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**span)


UNKNOWN_SERVICE = "MG" + "0" * 32

# Parameters over a request that is good, with `...` for one that is left out.
REFUSED_WITH_FROM = [
    ("To is empty", dict(to=""), 21604, 400),
    ("To is too short", dict(to="+1415"), 21211, 400),
    ("To is not a number", dict(to="hello"), 21211, 400),
    ("To equals From", dict(to="FROM"), 21266, 400),
    ("no From and no service", dict(from_=...), 21603, 400),
    ("From is not ours", dict(from_="+14155550000"), (21606, 21659), 400),
    ("no content", dict(body=...), 21602, 400),
    ("an empty body", dict(body=""), 21602, 400),
    ("a body of 1,601 characters", dict(body="a" * 1601), 21617, 400),
    ("no validity", dict(validity_period=0), 21624, 400),
    ("more than ten hours of validity", dict(validity_period=36001), 21624, 400),
    ("a price below nothing", dict(max_price=-0.01), 21627, 400),
    ("a callback that is not a URL", dict(status_callback="nowhere"), 21609, 400),
    ("a callback host with an underscore", dict(status_callback="http://a_b.com/"), 21609, 400),
    ("a schedule without a service", dict(schedule_type="fixed", send_at=from_now(hours=1)), 35118, 400),
]

REFUSED_WITH_SERVICE = [
    ("an unknown service", dict(messaging_service_sid=UNKNOWN_SERVICE), 21701, (400, 404)),
    ("a malformed service SID", dict(messaging_service_sid="MG12"), 21705, 400),
    ("From outside the pool", dict(from_="OUTSIDE"), 21711, (400, 404)),
    ("a schedule too soon", dict(schedule_type="fixed", send_at=from_now(seconds=30)), 35115, 400),
    ("a schedule too late", dict(schedule_type="fixed", send_at=from_now(days=35, hours=1)), 35115, 400),
    ("a schedule without a time", dict(schedule_type="fixed"), 35111, 400),
    ("a time without a schedule", dict(send_at=from_now(hours=1)), 35126, 400),
    ("another kind of schedule", dict(schedule_type="often", send_at=from_now(hours=1)), 35126, 400),
]


def names(rows):
    return [row[0] for row in rows]


def create(account, good, changes):
    parameters = {name: value for name, value in (good | changes).items() if value is not ...}
    return lambda: account.client.messages.create(**parameters)


@pytest.mark.parametrize("_, changes, code, status", REFUSED_WITH_FROM, ids=names(REFUSED_WITH_FROM))
def test_a_message_with_from_is_refused(account, refused, _, changes, code, status):
    number = account.number().phone_number
    good = dict(to=us_number(), from_=number, body="hello")
    changes = {name: number if value == "FROM" else value for name, value in changes.items()}
    refused(code, status, create(account, good, changes))
    assert account.client.messages.list() == [], "a refused request leaves no message"


@pytest.mark.parametrize(
    "_, changes, code, status", REFUSED_WITH_SERVICE, ids=names(REFUSED_WITH_SERVICE)
)
def test_a_message_through_a_service_is_refused(account, refused, _, changes, code, status):
    good = dict(
        to=us_number(), messaging_service_sid=account.service(account.number()).sid, body="hello"
    )
    if changes.get("from_") == "OUTSIDE":
        changes = dict(from_=account.number().phone_number)
    refused(code, status, create(account, good, changes))
    assert account.client.messages.list() == [], "a refused request leaves no message"


def test_an_empty_pool_is_refused(account, refused):
    good = dict(to=us_number(), messaging_service_sid=account.service().sid, body="hello")
    refused(21704, 400, create(account, good, {}))


def test_a_sender_is_once_in_one_pool(account, refused):
    number = account.number()
    service, other = account.service(number), account.service()
    refused(21710, 409, service.phone_numbers.create, phone_number_sid=number.sid)
    refused(21712, 409, other.phone_numbers.create, phone_number_sid=number.sid)


@pytest.mark.parametrize("sender", ["", "a name too long", "123456", "ACME!", "ÄCME", " ACME"])
def test_an_alpha_sender_has_letters_and_eleven_characters_at_most(account, refused, sender):
    refused((21708, 21709), 400, account.service().alpha_senders.create, alpha_sender=sender)


def test_only_a_scheduled_message_can_be_canceled(account, refused):
    message = account.settled(
        account.client.messages.create(
            to=us_number(), from_=account.number().phone_number, body="hello"
        )
    )
    refused(30409, (400, 409), account.client.messages(message.sid).update, status="canceled")


UNKNOWN = [
    ("message", lambda client: client.messages("SM" + "0" * 32).fetch),
    ("number", lambda client: client.incoming_phone_numbers("PN" + "0" * 32).fetch),
    ("short code", lambda client: client.short_codes("SC" + "0" * 32).fetch),
    ("key", lambda client: client.keys("SK" + "0" * 32).fetch),
    ("account", lambda client: client.api.v2010.accounts("AC" + "0" * 32).fetch),
    ("service", lambda client: client.messaging.v1.services(UNKNOWN_SERVICE).fetch),
    ("service to delete", lambda client: client.messaging.v1.services(UNKNOWN_SERVICE).delete),
]


@pytest.mark.parametrize("_, call", UNKNOWN, ids=names(UNKNOWN))
def test_what_does_not_exist_is_not_found(account, refused, _, call):
    refused(20404, 404, call(account.client))


WRONG_CREDENTIALS = [
    ("wrong token", lambda account: (account.account_sid, "0" * 32)),
    ("unknown account", lambda account: ("AC" + "0" * 32, account.auth_token)),
    ("unknown key", lambda account: ("SK" + "0" * 32, account.auth_token)),
]


@pytest.mark.parametrize("_, credentials", WRONG_CREDENTIALS, ids=names(WRONG_CREDENTIALS))
def test_wrong_credentials_are_refused_on_both_apis(server, account, refused, _, credentials):
    client = by_http_client(server.url, *credentials(account), account_sid=account.account_sid)
    refused(20003, 401, client.messages.create, to=us_number(), from_="+14155550000", body="hello")
    refused(20003, 401, client.messaging.v1.services(UNKNOWN_SERVICE).fetch)


def test_an_answer_without_credentials_names_the_scheme(server, account):
    answer = requests.get(
        f"{server.url}/2010-04-01/Accounts/{account.account_sid}/Messages.json", timeout=10
    )
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')


def test_an_error_body_has_the_four_keys(server, account):
    answer = requests.get(
        f"{server.url}/2010-04-01/Accounts/{account.account_sid}/Messages/SM{'0' * 32}.json",
        auth=(account.account_sid, account.auth_token),
        timeout=10,
    )
    body = answer.json()
    assert set(body) - {"details"} == {"code", "message", "more_info", "status"}
    assert body["status"] == answer.status_code == 404
    assert str(body["code"]) in body["more_info"]
    assert answer.headers["Content-Type"].startswith("application/json")
