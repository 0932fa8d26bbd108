"""What a sender may take over in a day, and paces that senders share. limits.md."""

import datetime

import pytest
import requests

from harness.numbers import uk_number, us_number
from harness.postrider import Postrider
from harness.waiting import eventually
from self_hosted import by_http_client

CAPS = """
[pace]
long_code = 0
[[caps]]
sender = "long_code"
countries = ["US"]
daily_recipients = 2
[[caps]]
sender = "long_code"
countries = ["GB"]
daily_segments = 3
"""


def seconds_of_the_day_left():
    now = datetime.datetime.now(datetime.timezone.utc)
    midnight = datetime.datetime.combine(now.date(), datetime.time(), datetime.timezone.utc)
    return (midnight + datetime.timedelta(days=1) - now).total_seconds()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Postrider(tmp_path_factory.mktemp("caps"), CAPS) as postrider:
        yield postrider


@pytest.fixture
def one_day():
    """A test that counts a day's messages is not to see the next one begin."""
    eventually(lambda: seconds_of_the_day_left() > 30, seconds=60, what="midnight")


def capped(account, message):
    """By which rule each sender of the pool was passed over for a message that failed."""
    explained = account.ours("GET", f"Explain/{message.sid}")
    return {candidate["sender"]: candidate["rule"] for candidate in explained["candidates"]}


def test_a_sender_that_reached_its_recipients_makes_way_for_another(account, one_day):
    numbers = [account.number() for _ in range(2)]
    senders = [number.phone_number for number in numbers]
    service = account.service(*numbers)
    recipients = [us_number() for _ in range(4)]
    chosen = [account.sent(service, to).from_ for to in recipients]
    assert sorted(chosen) == sorted(senders * 2)
    failed = account.sent(service, status="failed")
    assert failed.error_code == 30023
    assert capped(account, failed) == dict.fromkeys(senders, "daily_cap_reached")
    # Who was written to today is none more.
    assert [account.sent(service, to).from_ for to in recipients] == chosen
    newcomer = account.number()
    service.phone_numbers.create(phone_number_sid=newcomer.sid)
    assert account.sent(service).from_ == newcomer.phone_number


def test_a_sender_that_sent_its_segments_makes_way_for_another(account, one_day):
    numbers = [account.number(uk_number()) for _ in range(2)]
    service = account.service(*numbers)
    to = uk_number()
    known = account.sent(service, to, body="x" * 200).from_
    (other,) = {number.phone_number for number in numbers} - {known}
    # Two segments are one too many for the sender that the recipient knows, and one is not.
    assert account.sent(service, to, body="x" * 200).from_ == other
    assert account.sticky_sender(service, to) == known
    assert account.sent(service, to).from_ == known
    assert account.sent(service, to).from_ == other
    failed = account.sent(service, to, status="failed")
    assert failed.error_code == 30023
    assert capped(account, failed) == {known: "daily_cap_reached", other: "daily_cap_reached"}


def test_a_capped_sender_that_is_named_is_refused_also_after_a_crash(
    account, server, refused, one_day
):
    sender = account.number().phone_number
    send = account.client.messages.create
    for _ in range(2):
        account.settled(send(to=us_number(), from_=sender, body="hello"))
    refused(30023, 400, send, to=us_number(), from_=sender, body="hello")
    server.kill()
    server.start()
    refused(30023, 400, send, to=us_number(), from_=sender, body="hello")
    assert len(account.client.messages.list()) == 2, "what is refused is not created"
    other = account.number().phone_number
    account.settled(send(to=us_number(), from_=other, body="hello"))


def test_much_of_a_cap_is_told(account, one_day):
    sender = account.number().phone_number
    account.settled(account.client.messages.create(to=us_number(), from_=sender, body="hello"))
    account.settled(account.client.messages.create(to=us_number(), from_=sender, body="hello"))
    alerts = eventually(
        account.client.monitor.v1.alerts.list, lambda alerts: len(alerts) == 2, what="two alerts"
    )
    assert {alert.error_code for alert in alerts} == {"30025", "30026"}


# A message at once, and the next after a quarter of an hour.
SHARED = {
    "campaign": """
[pace]
long_code = 0
[pace.campaigns.spring]
rate = 0.001
services = ["{first}", "{second}"]
""",
    "account": """
[pace]
long_code = 0
account_by_sid = {{ {account} = 0.001 }}
""",
}


@pytest.mark.parametrize("limit", SHARED)
def test_services_share_a_pace(tmp_path, limit):
    server = Postrider(tmp_path, "[pace]\nlong_code = 0\n").start()
    try:
        client = by_http_client(server.url, server.account_sid, server.auth_token)
        services = [service_of_its_own(client) for _ in range(2)]
        if limit == "account":
            created = client.api.v2010.accounts.create(friendly_name="another")
            outside = by_http_client(server.url, created.sid, created.auth_token)
        else:
            outside = client
        elsewhere = service_of_its_own(outside)
        first, second = services
        reload(
            server,
            SHARED[limit].format(first=first, second=second, account=server.account_sid),
        )
        assert delivered(client, send(client, first))
        waits = send(client, second)
        name = {"campaign": "spring", "account": server.account_sid}[limit]
        waiting = f'postrider_pace_waiting{{limit="{limit}",name="{name}"}} 1'
        eventually(
            lambda: waiting in requests.get(f"{server.url}/metrics", timeout=5).text, what=waiting
        )
        # Whoever does not share it is not held up.
        assert delivered(outside, send(outside, elsewhere))
        assert client.messages(waits).fetch().status in ("accepted", "queued")
        reload(server, "[pace]\nlong_code = 0\n")
        assert delivered(client, waits)
    finally:
        server.stop()


def service_of_its_own(client):
    """The SID of a service with a number in its pool."""
    number = client.incoming_phone_numbers.create(phone_number=us_number())
    service = client.messaging.v1.services.create(friendly_name="test")
    service.phone_numbers.create(phone_number_sid=number.sid)
    return service.sid


def send(client, service):
    message = client.messages.create(to=us_number(), messaging_service_sid=service, body="hello")
    return message.sid


def delivered(client, sid):
    fetch = client.messages(sid).fetch
    return eventually(fetch, lambda it: it.status == "delivered", what=f"{sid} delivered")


def reload(server, config):
    """Another configuration, in force when this returns."""
    before = server.log_count("are reloaded")
    server.configure(config)
    server.reload()
    eventually(lambda: server.log_count("are reloaded") > before, what="a reload")
