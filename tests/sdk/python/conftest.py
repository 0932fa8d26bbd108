"""Fixtures: one Postrider and one webhook receiver per run, one account per test.

Every test works in a subaccount of its own, with numbers that nobody else uses, so that tests need
no order and can read whole lists.
"""

import dataclasses
import json
from urllib.parse import quote

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.messaging.v2.channels_sender import ChannelsSenderList

from harness.lookup import Lookup
from harness.numbers import short_code, us_number
from harness.postrider import Postrider
from harness.waiting import eventually
from harness.webhooks import Receiver
from self_hosted import by_http_client

FINAL = {"delivered", "undelivered", "failed", "canceled"}

# Pace is tested elsewhere; here a test must not wait for one segment a second. No `[[carriers]]`:
# the simulator, which delivers after a short delay unless `simulate` told it otherwise.
CONFIG = """
[pace]
long_code = 0
toll_free = 0
short_code = 0
alpha = 0
"""


@dataclasses.dataclass
class Account:
    """A subaccount, its client, and the steps that most tests begin with."""

    server: Postrider
    account_sid: str
    auth_token: str
    client: Client

    def number(self, phone_number=None, **parameters):
        return self.client.incoming_phone_numbers.create(
            phone_number=phone_number or us_number(), **parameters
        )

    def enabled(self, number, **capabilities):
        """Says what a number can do, which is for its owner to say: `MmsEnabled="true"`."""
        path = f"/2010-04-01/Accounts/{self.account_sid}/IncomingPhoneNumbers/{number.sid}.json"
        answer = self.client.request("POST", f"https://api.twilio.com{path}", data=capabilities)
        assert answer.status_code == 200, answer.text
        return number

    def short_code(self, code=None, country="US", **parameters):
        created = self.ours(
            "POST", "ShortCodes", ShortCode=code or short_code(), IsoCountry=country, **parameters
        )
        return self.client.short_codes(created["sid"]).fetch()

    def whatsapp(self, number, **parts):
        """Registers a WhatsApp sender, as the SDK's typed requests do."""
        request = ChannelsSenderList.MessagingV2ChannelsSenderRequestsCreate(
            {"sender_id": f"whatsapp:{number}", **parts}
        )
        return self.client.messaging.v2.channels_senders.create(
            messaging_v2_channels_sender_requests_create=request
        )

    def service(self, *numbers, **parameters):
        """A Messaging Service with these numbers in its pool."""
        service = self.client.messaging.v1.services.create(
            friendly_name=parameters.pop("friendly_name", "test"), **parameters
        )
        for number in numbers:
            service.phone_numbers.create(phone_number_sid=number.sid)
        return service

    def ours(self, method, path, *, status=(200, 201, 204), params=None, **data):
        """Something of ours, below `/x/v1/`, by the SDK's request for what it has no class for."""
        uri = f"{self.server.url}/x/v1/{path}"
        answer = self.client.request(method, uri, params=params, data=data)
        statuses = status if isinstance(status, tuple) else (status,)
        assert answer.status_code in statuses, f"{path}: {answer.status_code} {answer.text}"
        return json.loads(answer.text) if answer.text else None

    def sticky_sender(self, service, to):
        """By which sender the recipient knows the service, if it does."""
        path = f"StickySenders/{service.sid}/{quote(to)}"
        return self.ours("GET", path, status=(200, 404)).get("from")

    def handset_texts(self, handset, to, body="Hello"):
        """A simulated phone writes to one of our senders."""
        self.ours("POST", f"Simulator/Handsets/{quote(handset)}", To=to, Body=body)

    def sent(self, service, to=None, status="delivered", **parameters):
        """A message through the service, settled."""
        message = self.client.messages.create(
            **dict(to=to or us_number(), messaging_service_sid=service.sid, body="hello")
            | parameters
        )
        return self.settled(message, status)

    def settled(self, message, status="delivered"):
        """The message once it has reached a final status, which must be `status`."""
        message = eventually(
            self.client.messages(message.sid).fetch,
            lambda fetched: fetched.status in FINAL,
            what=f"a final status of {message.sid}",
        )
        assert message.status == status, f"{message.status} {message.error_code}"
        return message


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with Postrider(tmp_path_factory.mktemp("postrider"), CONFIG) as postrider:
        yield postrider


@pytest.fixture(scope="session")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def lookup():
    lookup = Lookup()
    yield lookup
    lookup.close()


@pytest.fixture
def main(server) -> Client:
    """The SDK with the main account's credentials, also on a server of the module's own."""
    return by_http_client(server.url, server.account_sid, server.auth_token)


@pytest.fixture
def account(server, main) -> Account:
    created = main.api.v2010.accounts.create(friendly_name="a test's own")
    client = by_http_client(server.url, created.sid, created.auth_token)
    return Account(server, created.sid, created.auth_token, client)


@pytest.fixture
def refused():
    """`refused(code, status, call)`: `call()` must raise the SDK's exception with these."""

    def check(code, status, call, /, *arguments, **parameters):
        with pytest.raises(TwilioRestException) as raised:
            call(*arguments, **parameters)
        error = raised.value
        codes = code if isinstance(code, tuple) else (code,)
        statuses = status if isinstance(status, tuple) else (status,)
        assert error.code in codes, f"{error.code} {error.status}: {error.msg}"
        assert error.status in statuses, f"{error.code} {error.status}: {error.msg}"
        assert error.msg, "an error says what was wrong"
        return error

    return check
