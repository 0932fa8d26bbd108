"""The Message resource: create, list, fetch, redact, cancel, delete. api.md 8.1, sending.md 1 and 6."""

import datetime
import re

import pytest

from harness.numbers import us_number
from harness.waiting import in_an_hour

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


def day(moment):
    """A bare date, which means the whole UTC day; the SDK turns date objects into midnight."""
    return moment.date().isoformat()


def test_a_message_with_from_is_queued_then_delivered(account):
    number, recipient = account.number(), us_number()
    created = account.client.messages.create(
        to=recipient, from_=number.phone_number, body="Your code is 1234"
    )
    assert re.fullmatch("SM[0-9a-f]{32}", created.sid)
    assert created.status == "queued"
    assert created.account_sid == account.account_sid
    assert (created.to, created.from_) == (recipient, number.phone_number)
    assert created.direction == "outbound-api"
    assert created.num_segments == "1"
    assert created.num_media == "0"
    assert created.messaging_service_sid is None
    assert created.error_code is None
    assert created.date_sent is None
    assert "media" in created.subresource_uris

    message = account.settled(created)
    assert message.body == "Your code is 1234"
    assert message.date_sent >= message.date_created
    assert message.date_updated >= message.date_sent


def test_a_message_through_a_service_is_accepted_without_a_sender_then_delivered(account):
    number = account.number()
    service = account.service(number)
    created = account.client.messages.create(
        to=us_number(), messaging_service_sid=service.sid, body="hello"
    )
    assert created.status == "accepted"
    assert created.from_ is None
    assert created.num_segments == "0"
    assert created.messaging_service_sid == service.sid

    message = account.settled(created)
    assert message.from_ == number.phone_number
    assert message.num_segments == "1"
    assert message.messaging_service_sid == service.sid


@pytest.mark.parametrize(
    "body, segments",
    [
        ("a" * 160, "1"),
        ("a" * 161, "2"),
        ("a" * 159 + "€", "2"),
        ("ж" * 70, "1"),
        ("ж" * 71, "2"),
        ("\N{GRINNING FACE}" * 36, "2"),
        ("a" * 1600, "11"),
    ],
)
def test_num_segments_counts_what_the_handset_is_sent(account, body, segments):
    message = account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body=body
    )
    assert message.num_segments == segments


def test_each_filter_selects_its_messages(account):
    one, two = account.number(), account.number()
    recipient, other = us_number(), us_number()
    sent = [
        account.settled(account.client.messages.create(to=to, from_=number.phone_number, body="x"))
        for to, number in [(recipient, one), (recipient, two), (other, one)]
    ]
    first, second, third = (message.sid for message in sent)
    earliest, latest = sent[0].date_sent, sent[-1].date_sent
    everything = {first, second, third}
    table = [
        (dict(), everything),
        (dict(to=recipient), {first, second}),
        (dict(from_=one.phone_number), {first, third}),
        (dict(to=recipient, from_=one.phone_number), {first}),
        (dict(to=us_number()), set()),
        (dict(date_sent=day(latest + DAY)), set()),
        (dict(date_sent=day(earliest - DAY)), set()),
        (dict(date_sent_before=day(latest)), everything),
        (dict(date_sent_before=day(earliest - DAY)), set()),
        (dict(date_sent_after=day(earliest)), everything),
        (dict(date_sent_after=day(latest + DAY)), set()),
        (dict(date_sent_before=latest + HOUR), everything),
        (dict(date_sent_before=earliest - HOUR), set()),
        (dict(date_sent_after=earliest - HOUR), everything),
        (dict(date_sent_after=latest + HOUR), set()),
        (dict(date_sent_after=earliest - HOUR, date_sent_before=latest + HOUR), everything),
        (dict(to=recipient, date_sent_after=earliest - HOUR), {first, second}),
    ]
    for filters, expected in table:
        found = {message.sid for message in account.client.messages.list(**filters)}
        assert found == expected, filters
    on_their_days = {
        message.sid
        for date in {day(message.date_sent) for message in sent}
        for message in account.client.messages.list(date_sent=date)
    }
    assert on_their_days == everything


def test_an_account_sees_only_its_own_messages(account, main, refused):
    message = account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body="mine"
    )
    refused(20404, 404, main.messages(message.sid).fetch)


def test_redaction_empties_the_body_and_keeps_the_rest(account):
    message = account.settled(
        account.client.messages.create(
            to=us_number(), from_=account.number().phone_number, body="a secret"
        )
    )
    redacted = account.client.messages(message.sid).update(body="")
    assert redacted.body == ""
    fetched = account.client.messages(message.sid).fetch()
    assert (fetched.body, fetched.to, fetched.status) == ("", message.to, "delivered")


def test_a_scheduled_message_waits_and_can_be_canceled_once(account, refused):
    service = account.service(account.number())
    scheduled = account.client.messages.create(
        to=us_number(),
        messaging_service_sid=service.sid,
        body="see you tomorrow",
        schedule_type="fixed",
        send_at=in_an_hour(),
    )
    assert (scheduled.status, scheduled.from_) == ("scheduled", None)
    canceled = account.client.messages(scheduled.sid).update(status="canceled")
    assert canceled.status == "canceled"
    again = account.client.messages(scheduled.sid).update
    refused(30409, (400, 409), again, status="canceled")


def test_a_deleted_message_is_gone(account, refused):
    message = account.settled(
        account.client.messages.create(
            to=us_number(), from_=account.number().phone_number, body="forget me"
        )
    )
    assert account.client.messages(message.sid).delete() is True
    refused(20404, 404, account.client.messages(message.sid).fetch)
    assert message.sid not in {listed.sid for listed in account.client.messages.list()}


def test_a_message_in_flight_cannot_be_deleted(account, refused):
    scheduled = account.client.messages.create(
        to=us_number(),
        messaging_service_sid=account.service(account.number()).sid,
        body="not yet",
        schedule_type="fixed",
        send_at=in_an_hour(),
    )
    refused(20009, 409, account.client.messages(scheduled.sid).delete)


# What the simulated carrier does, and what the message shows for it.
OUTCOMES = [
    ("delivered", None, "delivered", None),
    ("undelivered", 30003, "undelivered", 30003),
    ("undelivered", 30005, "undelivered", 30005),
    ("rejected", 30007, "undelivered", 30007),
]


@pytest.mark.parametrize("outcome, code, status, error_code", OUTCOMES)
def test_the_carriers_outcome_is_the_messages_status(
    account, server, outcome, code, status, error_code
):
    recipient = us_number()
    server.simulate(recipient, outcome, **({"ErrorCode": code} if code else {}))
    message = account.client.messages.create(
        to=recipient, from_=account.number().phone_number, body="hello"
    )
    assert account.settled(message, status).error_code == error_code


def test_throttling_delays_a_message_and_does_not_lose_it(account, server):
    recipient = us_number()
    server.simulate(recipient, "throttle", Times=2)
    message = account.client.messages.create(
        to=recipient, from_=account.number().phone_number, body="hello"
    )
    account.settled(message)


def test_a_message_without_a_receipt_stays_sent(account, server):
    silent = us_number()
    server.simulate(silent, "lost_receipt")
    number = account.number()
    message, later = (
        account.client.messages.create(to=to, from_=number.phone_number, body="hello")
        for to in (silent, us_number())
    )
    account.settled(later)
    assert account.client.messages(message.sid).fetch().status == "sent"


def test_a_scheduled_message_is_listed_as_scheduled(account):
    scheduled = account.client.messages.create(
        to=us_number(),
        messaging_service_sid=account.service(account.number()).sid,
        body="soon",
        schedule_type="fixed",
        send_at=in_an_hour(),
    )
    listed = account.client.messages.list(to=scheduled.to)
    assert [message.status for message in listed] == ["scheduled"]
