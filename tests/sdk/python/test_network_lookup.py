"""Recipients' networks by a table that is read again, and by a lookup over HTTP. operations.md."""

import pytest

from harness.lookup import AWAY, SERVED
from harness.numbers import short_code, us_number
from harness.postrider import Postrider
from harness.waiting import eventually

TITLES = "prefix_or_number,mcc,mnc,name\n"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    table = tmp_path_factory.mktemp("tables") / "networks.csv"
    table.write_text(TITLES)
    return table


@pytest.fixture(scope="module")
def server(tmp_path_factory, lookup, table):
    config = f"""
[pace]
long_code = 0
[networks]
table = "{table}"
lookup_url = "{lookup.url}"
lookup_token = "a token"
allow_private_networks = true
"""
    with Postrider(tmp_path_factory.mktemp("lookup"), config) as postrider:
        yield postrider


@pytest.fixture
def senders(account):
    """A service, its short code, which reaches one network, and its number."""
    code = account.short_code(short_code(), ServedNetworks="310-410")
    number = account.number()
    service = account.service(number, sticky_sender=False)
    service.short_codes.create(short_code_sid=code.sid)
    return service, code.short_code, number.phone_number


ANSWERS = [
    ("served", (200, SERVED), True, "310-410"),
    ("as numbers", (200, AWAY), False, "311-480"),
    ("with more", (200, AWAY | {"name": "x", "ported": True}), False, "311-480"),
    ("unknown", (200, {"mcc": None, "mnc": None}), True, None),
    ("no content", (204, None), True, None),
    ("not found", (404, None), True, None),
    ("a failure", (500, None), True, None),
    ("nonsense", (200, ["?"]), True, None),
]


@pytest.mark.parametrize("_, answer, is_served, network", ANSWERS, ids=[row[0] for row in ANSWERS])
def test_a_lookup_decides(account, lookup, senders, _, answer, is_served, network):
    service, code, number = senders
    to = us_number()
    lookup.answers[to[1:]] = answer
    sent = account.sent(service, to)
    assert sent.from_ == (code if is_served else number)
    explained = account.ours("GET", f"Explain/{sent.sid}")
    assert explained["decision"]["network"] == network
    rules = {candidate["sender"]: candidate["rule"] for candidate in explained["candidates"]}
    assert rules[code] == ("short_code" if is_served else "network_not_served")
    assert (to[1:], "Bearer a token") in lookup.asked


def test_an_answer_is_remembered(account, lookup, senders):
    service, code, _ = senders
    to = us_number()
    lookup.answers[to[1:]] = (200, SERVED)
    question = dict(To=to, MessagingServiceSid=service.sid)
    sources = [
        account.ours("POST", "Explain", **question)["recipient_network"]["source"] for _ in range(3)
    ]
    assert sources == ["http", "cache", "cache"]
    assert account.sent(service, to).from_ == code
    assert [number for number, _ in lookup.asked].count(to[1:]) == 1


def test_nobody_is_asked_where_it_does_not_matter(account, lookup):
    service = account.service(account.number())
    to = us_number()
    account.sent(service, to)
    explained = account.ours("POST", "Explain", To=to, MessagingServiceSid=service.sid)
    assert explained["recipient_network"] is None
    assert to[1:] not in [number for number, _ in lookup.asked]


def test_a_table_is_read_again_and_comes_before_the_lookup(account, server, table, senders):
    service, code, number = senders
    to = us_number()

    def network():
        question = dict(To=to, MessagingServiceSid=service.sid)
        return account.ours("POST", "Explain", **question)["recipient_network"]

    assert network()["network"] is None
    for row, expected, sender in [
        (f"{to},311,480,ported", "311-480", number),
        (f"{to},310,410,back again", "310-410", code),
    ]:
        table.write_text(f"{TITLES}{row}\n")
        server.reload()
        told = eventually(network, lambda it, at=expected: it["network"] == at, what="the new row")
        assert told["source"] == "table"
        assert account.sent(service, to).from_ == sender
    table.write_text(f"{TITLES}{to},no network\n")
    server.reload()
    eventually(lambda: "networks.csv" in server.log_tail(), what="a complaint in the log")
    assert network()["network"] == "310-410", "a bad table is not used"
    table.write_text(TITLES)
    server.reload()
    eventually(network, lambda it: it["network"] is None, what="an empty table")
