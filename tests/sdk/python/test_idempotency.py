"""`Idempotency-Key`: a create that is repeated gets the first answer, also after a crash. api.md 4.

The SDK sends the header when its HTTP client does; retries of a program or a proxy look like this.
"""

import threading
import uuid

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from harness.numbers import us_number
from harness.postrider import Postrider
from self_hosted import by_http_client

KEY = "Idempotency-Key"
TOKEN = "I-Twilio-Idempotency-Token"


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
    assert (status, body) == (status_again, body_again) and status == 201
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
