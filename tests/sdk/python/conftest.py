"""Fixtures: one Postrider and one webhook receiver per run, one account per test.

Every test works in a subaccount of its own, with numbers that nobody else uses, so that tests need
no order and can read whole lists.
"""

import dataclasses

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

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

    def short_code(self):
        created = self.server.extension(
            "ShortCodes", self, ShortCode=short_code(), IsoCountry="US", FriendlyName="codes"
        )
        return self.client.short_codes(created["sid"]).fetch()

    def service(self, *numbers, **parameters):
        """A Messaging Service with these numbers in its pool."""
        service = self.client.messaging.v1.services.create(
            friendly_name=parameters.pop("friendly_name", "test"), **parameters
        )
        for number in numbers:
            service.phone_numbers.create(phone_number_sid=number.sid)
        return service

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
    postrider = Postrider(tmp_path_factory.mktemp("postrider"), CONFIG).start()
    yield postrider
    postrider.stop()


@pytest.fixture(scope="session")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def main(server) -> Client:
    """The SDK with the main account's credentials."""
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
