"""Status callbacks as the customer receives them. sending.md 1.3 and 2."""

import datetime
import urllib.parse

import pytest
from twilio.request_validator import RequestValidator

from harness.numbers import us_number
from harness.waiting import eventually
from self_hosted import by_http_client

SIGNATURE = "x-twilio-signature"
TOKEN = "i-twilio-idempotency-token"


def assert_genuine(requests, configured_url, auth_token):
    """The SDK's validator accepts each request for exactly the URL that was configured."""
    url, _, _fragment = configured_url.partition("#")
    validator = RequestValidator(auth_token)
    for request in requests:
        assert request.method == "POST"
        assert request.url == url
        content_type = request.headers["content-type"]
        assert content_type.startswith("application/x-www-form-urlencoded")
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)
        assert len(pairs) == len(dict(pairs)), "no name is repeated"
        assert validator.validate(url, request.fields, request.headers[SIGNATURE]), request
        forged = request.fields | {"MessageStatus": "forged"}
        assert not validator.validate(url, forged, request.headers[SIGNATURE])


def test_from_only_calls_back_sent_then_delivered(account, receiver):
    url = receiver.url()
    message = account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    requests = receiver.wait_for(url, "delivered")
    assert [request.status for request in requests] == ["sent", "delivered"]
    assert {request.message_sid for request in requests} == {message.sid}
    assert_genuine(requests, url, account.auth_token)


def test_a_service_calls_back_queued_sent_delivered(account, receiver):
    url = receiver.url()
    number = account.number()
    service = account.service(number, status_callback=url)
    account.client.messages.create(
        to=us_number(), messaging_service_sid=service.sid, body="hello"
    )
    requests = receiver.wait_for(url, "delivered")
    assert [request.status for request in requests] == ["queued", "sent", "delivered"]
    assert {request.fields["MessagingServiceSid"] for request in requests} == {service.sid}
    assert {request.fields["From"] for request in requests} == {number.phone_number}
    assert_genuine(requests, url, account.auth_token)


def test_a_callback_carries_the_documented_fields(account, receiver):
    url, recipient, number = receiver.url(), us_number(), account.number()
    message = account.client.messages.create(
        to=recipient, from_=number.phone_number, body="hello", status_callback=url
    )
    for request in receiver.wait_for(url, "delivered"):
        expected = {
            "AccountSid": account.account_sid,
            "ApiVersion": "2010-04-01",
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": request.status,
            "SmsStatus": request.status,
            "To": recipient,
            "From": number.phone_number,
        }
        assert expected.items() <= request.fields.items()
        assert "MessagingServiceSid" not in request.fields
        assert "ErrorCode" not in request.fields
        assert "Body" not in request.fields


def test_a_failure_calls_back_with_its_code(account, server, receiver):
    url, recipient = receiver.url(), us_number()
    server.simulate(recipient, "undelivered", ErrorCode=30005)
    account.client.messages.create(
        to=recipient, from_=account.number().phone_number, body="hello", status_callback=url
    )
    requests = receiver.wait_for(url, "undelivered")
    assert [request.status for request in requests] == ["sent", "undelivered"]
    assert requests[-1].fields["ErrorCode"] == "30005"
    assert_genuine(requests, url, account.auth_token)


# The signed text is the URL as configured: what a URL library would tidy up must stay as it is.
URLS = [
    "?tenant=42",
    "?name=a%20b&plus=%2B1&again=%2f",
    "?empty=&flag",
    "/trailing/",
    "/Caf%C3%A9?q=%E2%82%AC",
    "?b=2&a=1&a=0",
    "?x=1#rc=2&rp=5xx,ct&ct=2000",
]


@pytest.mark.parametrize("rest", URLS)
def test_the_url_is_signed_and_called_exactly_as_configured(account, receiver, rest):
    url = receiver.url(rest)
    account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    assert_genuine(receiver.wait_for(url, "delivered"), url, account.auth_token)


@pytest.mark.parametrize("body", ["ünïcödé €", "a&b=c+d %41", "line\nbreak", "\N{GRINNING FACE}"])
def test_no_body_confuses_the_signature(account, receiver, body):
    url = receiver.url()
    account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body=body, status_callback=url
    )
    assert_genuine(receiver.wait_for(url, "delivered"), url, account.auth_token)


def test_a_subaccounts_callbacks_are_signed_with_its_own_token(server, account, receiver):
    url = receiver.url()
    as_parent = by_http_client(
        server.url, server.account_sid, server.auth_token, account.account_sid
    )
    as_parent.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    requests = receiver.wait_for(url, "delivered")
    assert {request.fields["AccountSid"] for request in requests} == {account.account_sid}
    assert_genuine(requests, url, account.auth_token)


def test_a_message_sent_with_an_api_key_is_signed_with_the_auth_token(server, account, receiver):
    url = receiver.url()
    key = account.client.new_keys.create(friendly_name="app")
    by_key = by_http_client(server.url, key.sid, key.secret, account.account_sid)
    by_key.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    assert_genuine(receiver.wait_for(url, "delivered"), url, account.auth_token)


def test_every_event_has_an_idempotency_token_of_its_own(account, receiver):
    url = receiver.url()
    service = account.service(account.number(), status_callback=url)
    for _ in range(3):
        account.client.messages.create(
            to=us_number(), messaging_service_sid=service.sid, body="hello"
        )
    requests = eventually(lambda: receiver.requests(url), lambda seen: len(seen) >= 9)
    assert len({request.headers[TOKEN] for request in requests}) == len(requests) == 9


def test_a_retry_repeats_the_events_token(account, receiver):
    url = receiver.url("#rc=2&rp=5xx")
    receiver.answer(url, 500)
    account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    requests = receiver.wait_for(url, "delivered")
    assert [request.status for request in requests] == ["sent", "sent", "delivered"]
    first, retry, other = (request.headers[TOKEN] for request in requests)
    assert first == retry != other
    assert_genuine(requests, url, account.auth_token)


def test_an_error_answer_is_not_retried_by_default(account, receiver):
    url = receiver.url()
    receiver.answer(url, 500)
    account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    requests = receiver.wait_for(url, "delivered")
    assert [request.status for request in requests] == ["sent", "delivered"]


def test_the_messages_url_replaces_the_services(account, receiver):
    services_url, messages_url = receiver.url(), receiver.url()
    service = account.service(account.number(), status_callback=services_url)
    account.client.messages.create(
        to=us_number(),
        messaging_service_sid=service.sid,
        body="hello",
        status_callback=messages_url,
    )
    requests = receiver.wait_for(messages_url, "delivered")
    assert [request.status for request in requests] == ["queued", "sent", "delivered"]
    assert receiver.requests(services_url) == []


def test_canceling_calls_back_once(account, receiver):
    url = receiver.url()
    service = account.service(account.number(), status_callback=url)
    scheduled = account.client.messages.create(
        to=us_number(),
        messaging_service_sid=service.sid,
        body="not yet",
        schedule_type="fixed",
        send_at=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1),
    )
    account.client.messages(scheduled.sid).update(status="canceled")
    requests = receiver.wait_for(url, "canceled")
    assert [request.status for request in requests] == ["canceled"]
    assert_genuine(requests, url, account.auth_token)


def test_an_endpoint_that_hangs_delays_nobody_else(account, receiver):
    slow, quick, number = receiver.url(), receiver.url(), account.number()
    release = receiver.hang(slow)
    for url in (slow, quick):
        account.client.messages.create(
            to=us_number(), from_=number.phone_number, body="hello", status_callback=url
        )
    receiver.wait_for(quick, "delivered", seconds=5)
    assert receiver.statuses(slow) in ([], ["sent"]), "the next event of a message waits its turn"
    release.set()
    receiver.wait_for(slow, "delivered")
