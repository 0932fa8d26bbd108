"""`Idempotency-Key`: a create that is repeated gets the first answer, also after a crash. api.md 4.

The SDK sends the header when its HTTP client does; retries of a program or a proxy look like this.
"""

import json
import threading
import uuid

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.rest.messaging.v2.channels_sender import ChannelsSenderList

from harness.numbers import us_number
from harness.postrider import Postrider
from self_hosted import by_http_client

KEY = "Idempotency-Key"
TOKEN = "I-Twilio-Idempotency-Token"
# Of the tests that can't make up another one the second time.
NUMBER, WHATSAPP = us_number(), us_number()


class Repeating(TwilioHttpClient):
    """Adds headers to every request, as `by_http_client` adds the host, and keeps the answers."""

    def __init__(self, inner, headers):
        super().__init__()
        self._inner = inner
        self._headers = headers
        self.answers = []

    def request(self, method, url, params=None, data=None, headers=None, *args, **kwargs):
        headers = (headers or {}) | self._headers
        answer = self._inner.request(method, url, params, data, headers, *args, **kwargs)
        self.answers.append((answer.status_code, answer.text, answer.headers))
        return answer


def with_key(client, key=None, header=KEY):
    """The same client, all of whose requests carry a key."""
    http_client = Repeating(client.http_client, {header: key or str(uuid.uuid4())})
    return Client(client.username, client.password, http_client=http_client)


def same_twice(client, create):
    """Creates twice; both answers are the same, and the second says so. Returns the resource."""
    first, second = create(client), create(client)
    (status, body, _), (status_again, body_again, headers) = client.http_client.answers[-2:]
    assert (status, body) == (status_again, body_again) and status in (201, 202)
    assert headers["Idempotent-Replayed"] == "true"
    assert first.sid == second.sid
    return first


@pytest.mark.parametrize("header", [KEY, TOKEN])
def test_a_message_is_sent_once(account, header):
    number = account.number().phone_number
    service = account.service(account.number()).sid
    for sender in (dict(from_=number), dict(messaging_service_sid=service)):
        client = with_key(account.client, header=header)
        to = us_number()
        message = same_twice(client, lambda c: c.messages.create(to=to, body="once", **sender))
        assert account.settled(message)
        # What became of it is not in the answer.
        again = same_twice(client, lambda c: c.messages.create(to=to, body="once", **sender))
        assert again.status == message.status in ("queued", "accepted")
        assert len(account.client.messages.list(to=to)) == 1


def test_settings_are_created_once_and_secrets_shown_again(account):
    client = with_key(account.client)
    service = same_twice(client, lambda c: c.messaging.v1.services.create(friendly_name="once"))
    assert [it.sid for it in account.client.messaging.v1.services.list()] == [service.sid]
    client = with_key(account.client)
    key = same_twice(client, lambda c: c.new_keys.create(friendly_name="once"))
    assert [it.sid for it in account.client.keys.list()] == [key.sid]
    assert key.secret


# Creates beside those above: what with, given a client and its view of a service.
CREATES = [
    ("subaccount", lambda c, service: c.api.v2010.accounts.create(friendly_name="once")),
    ("number", lambda c, service: c.incoming_phone_numbers.create(phone_number=NUMBER)),
    ("WhatsApp sender", lambda c, service: whatsapp(c)),
    ("brand", lambda c, service: brand(c)),
    ("alpha sender", lambda c, service: service.alpha_senders.create(alpha_sender="ACME")),
    (
        "destination alpha sender",
        lambda c, service: service.destination_alpha_senders.create("ACME", iso_country_code="GB"),
    ),
]


def whatsapp(client):
    request = ChannelsSenderList.MessagingV2ChannelsSenderRequestsCreate
    return client.messaging.v2.channels_senders.create(
        messaging_v2_channels_sender_requests_create=request({"sender_id": f"whatsapp:{WHATSAPP}"})
    )


def brand(client):
    return client.messaging.v1.brand_registrations.create(
        customer_profile_bundle_sid="BU" + 32 * "1", a2p_profile_bundle_sid="BU" + 32 * "2"
    )


@pytest.mark.parametrize("what, create", CREATES, ids=[row[0] for row in CREATES])
def test_everything_is_created_once(main, account, what, create):
    """Without a key the second would be refused, or be another one."""
    client = with_key(main if what == "subaccount" else account.client)
    service = account.service()
    same_twice(client, lambda c: create(c, c.messaging.v1.services(service.sid)))


def test_a_sender_joins_a_pool_once(account):
    number, code, service = account.number(), account.short_code(), account.service()
    client = with_key(account.client)
    pool = client.messaging.v1.services(service.sid)
    same_twice(client, lambda _: pool.phone_numbers.create(phone_number_sid=number.sid))
    client = with_key(account.client)
    pool = client.messaging.v1.services(service.sid)
    same_twice(client, lambda _: pool.short_codes.create(short_code_sid=code.sid))
    assert len(service.phone_numbers.list()) == len(service.short_codes.list()) == 1


def test_what_has_no_class_in_the_sdk_is_created_once_too(account):
    """The SDK's own request takes headers, so no HTTP client of one's own is needed."""
    code = dict(ShortCode="59001", IsoCountry="US")
    for path, fields in [
        ("ShortCodes", code),
        ("RegisteredSenders", dict(Sender="ACME", IsoCountryCode="AE")),
        ("Simulator/Rules", dict(To="+14155559003", Outcome="delivered", Times="1")),
    ]:
        url, headers = f"{account.server.url}/x/v1/{path}", {KEY: str(uuid.uuid4())}
        answers = [
            account.client.request("POST", url, data=fields, headers=dict(headers))
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].text == answers[1].text
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
        other = fields | {"To": "+14155559004"} if "To" in fields else fields | {"Status": "pending"}
        answer = account.client.request("POST", url, data=other, headers=dict(headers))
        assert (answer.status_code, json.loads(answer.text)["code"]) == (409, 20409)


def test_a_key_of_another_request_is_refused(account, refused):
    number = account.number().phone_number
    client = with_key(account.client)
    client.messages.create(to=us_number(), from_=number, body="first")
    refused(20409, 409, client.messages.create, to=us_number(), from_=number, body="second")


def test_only_a_key_of_visible_ascii_is_taken(account, refused):
    client = with_key(account.client, key="a b")
    refused(20001, 400, client.messaging.v1.services.create, friendly_name="no")


def test_a_key_is_known_after_a_crash(tmp_path):
    """Many clients, each with a key, while the server is killed; each repeats until it is answered."""
    server = Postrider(tmp_path, "[pace]\nlong_code = 0\n").start()

    def connect():
        return by_http_client(server.url, server.account_sid, server.auth_token)

    client = connect()
    number = client.incoming_phone_numbers.create(phone_number=us_number()).phone_number
    answers = {}

    def create(index):
        mine = with_key(connect(), key=f"key-{index}")
        to = us_number()
        while True:
            try:
                if index % 4:
                    answers[index] = mine.messages.create(to=to, from_=number, body="once").sid
                else:
                    services = mine.messaging.v1.services
                    answers[index] = services.create(friendly_name=f"once {index}").sid
                return
            except TwilioRestException:
                raise
            except Exception:  # no answer: the same again
                continue

    clients = [threading.Thread(target=create, args=(index,)) for index in range(40)]
    for thread in clients:
        thread.start()
    for _ in range(2):
        server.kill()
        server.start()
    for thread in clients:
        thread.join()
    # And once more, after all is answered and yet another crash.
    first = dict(answers)
    server.kill()
    server.start()
    messages = {message.sid for message in client.messages.list()}
    services = {service.sid for service in client.messaging.v1.services.list()}
    assert len(messages) == 30 and len(services) == 10
    assert messages | services == set(first.values())
    server.stop()
