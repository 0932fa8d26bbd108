"""Fixtures: one peer, one Postrider connected to it, one account with one number."""

import pytest

from harness.api import Api
from harness.numbers import uk_number, us_number
from harness.postrider import Postrider
from harness.waiting import eventually
from harness.webhooks import Receiver
from smsc_peer import Smsc

CONFIG = """
[pace]
long_code = 0
short_code = 0
alpha = 0

"""
FINAL = {"delivered", "undelivered", "failed"}


@pytest.fixture(scope="session")
def smsc(tmp_path_factory):
    peer = Smsc(tmp_path_factory.mktemp("smsc"))
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory, smsc):
    config = CONFIG + smsc.carrier(sessions=2)
    with Postrider(tmp_path_factory.mktemp("postrider"), config) as postrider:
        yield postrider


@pytest.fixture
def api(server):
    api = Api(server)
    yield api
    api.close()


@pytest.fixture
def sender(api):
    """A British long code."""
    return api.post("IncomingPhoneNumbers", PhoneNumber=uk_number())["phone_number"]


@pytest.fixture(scope="session")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def recipient():
    return us_number()


@pytest.fixture
def send(api, sender, recipient):
    """`send(body)`: a message from the number to the test's recipient."""

    def send(body, **parameters):
        return api.post("Messages", **({"To": recipient, "From": sender, "Body": body} | parameters))

    return send


@pytest.fixture
def settled(api):
    """The message once its status is final."""

    def settled(message):
        return eventually(
            lambda: api.get(f"Messages/{message['sid']}"),
            lambda fetched: fetched["status"] in FINAL,
            what=f"a final status of {message['sid']}",
        )

    return settled
