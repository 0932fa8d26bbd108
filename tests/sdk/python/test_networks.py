"""Short codes by the recipient's network: sender-selection.md, "Recipients' networks"."""

import pytest

from harness.numbers import short_code, us_number
from harness.postrider import Postrider

SERVED, AWAY, UNKNOWN = "+14155550198", "+14155550199", "+12125550199"

TABLE = """prefix_or_number,mcc,mnc,name
1415,310,410,served
14155550199,310,260,ported away
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("networks")
    table = directory / "networks.csv"
    table.write_text(TABLE)
    with Postrider(directory, f'[networks]\ntable = "{table}"\n') as postrider:
        yield postrider


def with_short_code(server, account, *numbers, **parameters):
    code = server.extension(
        "ShortCodes", account, ShortCode=short_code(), IsoCountry="US", **parameters
    )
    service = account.service(*numbers)
    service.short_codes.create(short_code_sid=code["sid"])
    return code["short_code"], service


@pytest.mark.parametrize("to, is_served", [(SERVED, True), (AWAY, False), (UNKNOWN, True)])
def test_a_short_code_that_does_not_serve_the_network_is_passed_over(server, account, to, is_served):
    number = account.number(us_number())
    code, service = with_short_code(
        server, account, number, ServedNetworks=["310-410", "311"]
    )
    message = account.client.messages.create(
        to=to, messaging_service_sid=service.sid, body="where to?"
    )
    sent = account.settled(message)
    assert sent.from_ == (code if is_served else number.phone_number)


def test_without_another_sender_the_message_fails(server, account):
    _, service = with_short_code(server, account, ServedNetworks="310-410")
    message = account.client.messages.create(
        to=AWAY, messaging_service_sid=service.sid, body="nowhere"
    )
    failed = account.settled(message, "failed")
    assert failed.error_code == 21703


def test_the_question_may_suppose_a_network(server, account):
    code, service = with_short_code(server, account, ServedNetworks="310-410")
    for network, sender in (("310-410", code), ("311-480", None)):
        explained = server.extension(
            "Explain",
            account,
            To=AWAY,
            MessagingServiceSid=service.sid,
            RecipientNetwork=network,
        )
        assert explained["from"] == sender
        assert explained["decision"]["network"] == network
        assert explained["recipient_network"]["source"] == "question"
