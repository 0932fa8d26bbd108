"""Scheduled messages whose recipients' networks somebody has to be asked for. sender-selection.md."""

import datetime
import time

import pytest

from harness.lookup import AWAY
from harness.numbers import short_code, uk_number, us_number
from harness.postrider import Postrider
from harness.waiting import eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory, lookup):
    # Only what hangs takes so long.
    config = f"""
[pace]
long_code = 0
[limits]
schedule_min_seconds = 0
[networks]
lookup_url = "{lookup.url}"
timeout_ms = 600000
allow_private_networks = true
"""
    with Postrider(tmp_path_factory.mktemp("scheduled"), config) as postrider:
        yield postrider


@pytest.fixture
def service(account):
    """A service with a number, and a short code that reaches one network."""
    code = account.short_code(short_code(), ServedNetworks="310-410")
    service = account.service(account.number())
    service.short_codes.create(short_code_sid=code.sid)
    return service


def schedule(account, service, to, seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return account.client.messages.create(
        to=to, messaging_service_sid=service.sid, body="hello", schedule_type="fixed", send_at=at
    )


def test_a_slow_lookup_delays_only_its_own_message(account, lookup, service):
    to = us_number()
    lookup.answers[to[1:]] = (200, AWAY)
    with lookup.held(to):
        slow = schedule(account, service, to, 2)
        later = schedule(account, service, uk_number(), 3)
        account.settled(later)
        eventually(lambda: lookup.was_asked(to), what="the question")
        assert account.client.messages(slow.sid).fetch().status == "scheduled"
    number = service.phone_numbers.list()[0].phone_number
    assert account.settled(slow).from_ == number


def test_a_message_that_is_canceled_meanwhile_stays_so(account, lookup, service):
    to, other = us_number(), us_number()
    lookup.answers |= {to[1:]: (200, AWAY), other[1:]: (200, AWAY)}
    with lookup.held(to):
        canceled = schedule(account, service, to, 2)
        eventually(lambda: lookup.was_asked(to), what="the question")
        answer = account.client.messages(canceled.sid).update(status="canceled")
        assert answer.status == "canceled"
    # What comes later has gone its way.
    account.settled(schedule(account, service, other, 2))
    account.settled(canceled, "canceled")
    assert account.sticky_sender(service, to) is None
    assert account.sticky_sender(service, other) is not None


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_process_that_ends_leaves_the_question_to_the_next(account, server, lookup, service, end):
    to = us_number()
    lookup.answers[to[1:]] = (200, AWAY)
    with lookup.held(to):
        message = schedule(account, service, to, 2)
        eventually(lambda: lookup.was_asked(to), what="the question")
        before = time.monotonic()
        getattr(server, end)()
        assert time.monotonic() - before < 60, "a stop waits for no answer"
    server.start()
    number = service.phone_numbers.list()[0].phone_number
    assert account.settled(message).from_ == number
