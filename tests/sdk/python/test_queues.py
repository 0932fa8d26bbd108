"""Queues that are full, paces of destinations, and toll-free numbers that serve Canada."""

import pytest

from harness.numbers import us_number
from harness.postrider import Postrider

# A long code sends a segment in a hundred seconds and holds two more; Germany has a pace of its own.
CONFIG = """
[pace]
long_code = 0.01
toll_free = 0
alpha = 0
[[pace.destinations]]
rate = 0.001
countries = ["DE"]
[limits.queue_seconds]
long_code = 200
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Postrider(tmp_path_factory.mktemp("queues"), CONFIG) as postrider:
        yield postrider


def test_a_full_queue_refuses_its_sender_and_fails_its_service(account, refused):
    number = account.number()
    service = account.service(number)
    to, from_ = us_number(), number.phone_number
    account.settled(account.client.messages.create(to=to, from_=from_, body="at once"))
    for _ in range(2):
        waits = account.client.messages.create(to=to, from_=from_, body="waits")
        assert waits.status == "queued"
    refused(21611, 429, account.client.messages.create, to=to, from_=from_, body="too much")
    failed = account.sent(service, to, status="failed")
    assert failed.error_code == 30001
    explained = account.ours("GET", f"Explain/{failed.sid}")
    assert [candidate["rule"] for candidate in explained["candidates"]] == ["queue_full"]


def test_a_destination_has_a_pace_of_its_own(account):
    slow, other = (account.number(number) for number in ("+18885550170", "+18885550174"))
    send = lambda number, to: account.client.messages.create(
        to=to, from_=number.phone_number, body="hi"
    )
    # It is of each sender, and of no other destination.
    for _ in range(2):
        account.settled(send(other, us_number()))
    account.settled(send(slow, "+4915110000071"))
    waits = send(slow, "+4915110000072")
    account.settled(send(other, "+4915110000072"))
    assert account.client.messages(waits.sid).fetch().status == "queued"


def test_a_toll_free_number_may_serve_canada(account):
    path = f"/2010-04-01/Accounts/{account.account_sid}/IncomingPhoneNumbers.json"
    create = lambda **form: account.client.request(
        "POST", f"https://api.twilio.com{path}", data={"PhoneNumber": "+18885550171"} | form
    )
    assert create(IsoCountry="GB").status_code == 400
    assert create(IsoCountry="CA").status_code == 201
    (number,) = account.client.incoming_phone_numbers.list()
    service = account.service(account.number("+14155550172"), number)
    assert account.sent(service, "+16045550173").from_ == "+18885550171"
    countries = {it.phone_number: it.country_code for it in service.phone_numbers.list()}
    assert countries == {"+14155550172": "US", "+18885550171": "CA"}
