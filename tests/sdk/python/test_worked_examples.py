"""The worked examples of docs/worked-examples.md, each as a customer's program would live it.

Senders are registered and pooled, texted by handsets, and chosen for a message; the explanation tells
the rule. What needs a year to pass is left to the tests that have a clock of their own.
"""

from dataclasses import dataclass, field

import pytest

from harness.numbers import uk_number
from harness.postrider import ROOT, Postrider
from harness.waiting import eventually

SENDERS_PART, EXAMPLES_PART = (
    (ROOT / "docs/worked-examples.md").read_text(encoding="utf-8").split("## Examples")
)
TIME_PASSES = {"39": "366 days"}
# The network of the recipient whom a short code does not reach. It matters only where a short code
# names its networks.
NETWORKS = "prefix_or_number,mcc,mnc,name\n14155550199,310,260,elsewhere\n"


def rows(part):
    """The cells of a table, without its header."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


SENDERS = {row[0]: row for row in rows(SENDERS_PART)}
EXAMPLES = [row for row in rows(EXAMPLES_PART) if row[0] not in TIME_PASSES]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("examples")
    table = directory / "networks.csv"
    table.write_text(NETWORKS)
    pace = "[pace]\nlong_code = 0\ntoll_free = 0\nshort_code = 0\nalpha = 0\nwhatsapp = 0\n"
    with Postrider(directory, f'{pace}[networks]\ntable = "{table}"\n') as postrider:
        yield postrider


@pytest.fixture(autouse=True)
def numbers_are_free_again(main, account):
    """Examples share their numbers, and an account that is closed gives its own up."""
    yield
    main.api.v2010.accounts(account.account_sid).update(status="closed")


@dataclass
class Example:
    account: object
    service: object
    to: str
    members: dict = field(default_factory=dict)

    def join(self, name, is_slow=False):
        """Registers a sender and puts it into the pool."""
        self.members[name] = self._join(name, is_slow)

    def _join(self, name, is_slow):
        _, address, home, can = SENDERS[name]
        account, service = self.account, self.service
        mms = {"MmsEnabled": "true"} if "MMS" in can else {}
        if address.startswith("whatsapp:"):
            sender = account.whatsapp(address.removeprefix("whatsapp:"))
            return service.channel_senders.create(sid=sender.sid)
        if address.startswith("+"):
            number = account.enabled(account.number(address), **mms | ({"Pace": 1} if is_slow else {}))
            return service.phone_numbers.create(phone_number_sid=number.sid)
        if address.isdigit():
            code = account.short_code(address, home, **mms)
            return service.short_codes.create(short_code_sid=code.sid)
        if home == "any":
            return service.alpha_senders.create(alpha_sender=address)
        return service.destination_alpha_senders.create(
            alpha_sender=address, iso_country_code=home
        )

    def is_texted(self, handset, name):
        """The handset knows the service by this sender; no handset does on WhatsApp."""
        address = SENDERS[name][1]
        self.account.handset_texts(handset.removeprefix("whatsapp:"), address)
        if not address.startswith("whatsapp:"):
            eventually(
                lambda: self.account.sticky_sender(self.service, handset),
                lambda sender: sender == address,
                what=f"{handset} knows {address}",
            )

    def apply(self, clause):
        """Brings about one clause of the state; gives what the message has more for it."""
        match clause.split():
            case ["alert"]:
                path = f"Services/{self.service.sid}"
                self.account.ours("POST", path, SenderIdPreregAlert="true")
            case ["media"]:
                return {"media_url": ["https://example.com/cat.png"]}
            case ["from", name]:
                return {"from_": SENDERS[name][1]}
            case ["network", "without", name]:
                _, code, country, _ = SENDERS[name]
                self.account.short_code(code, country, ServedNetworks="310-410")
            case ["mapping", name]:
                self.is_texted(self.to, name)
            case [name, "joins"]:
                self.join(name)
            case [name, "leaves"]:
                assert self.members.pop(name).delete() is True
            case ["S", switch]:
                self.service.update(sticky_sender=switch == "on")
            case ["30", "days"]:
                # They change nothing, so nobody waits for them.
                pass
            case [name, count, "mappings"]:
                for _ in range(int(count)):
                    self.is_texted(uk_number(), name)
            case [name, count, "queued"]:
                # The first leaves at once.
                for _ in range(int(count) + 1):
                    self.account.client.messages.create(
                        to=uk_number(), from_=SENDERS[name][1], body="Hello"
                    )
            case ["M", "off"]:
                pass
            case _:
                raise ValueError(clause)
        return {}


def split(text, separator):
    return [part for part in map(str.strip, text.split(separator)) if part]


@pytest.mark.parametrize(
    "number, pool, state, to, chosen, rule, also", EXAMPLES, ids=[row[0] for row in EXAMPLES]
)
def test_a_worked_example(account, refused, number, pool, state, to, chosen, rule, also):
    settings, _, state = state.partition(";")
    pool, clauses = split(pool, ","), split(state, ";")
    service = account.service(
        sticky_sender="S" in settings.split(),
        area_code_geomatch="A" in settings.split(),
        mms_converter="M off" not in clauses,
    )
    example = Example(account, service, to)
    for name in pool:
        example.join(name, is_slow=any(it.startswith(name) and "queued" in it for it in clauses))
    more = {}
    for clause in clauses:
        more |= example.apply(clause)

    message = dict(to=to, messaging_service_sid=service.sid, body="Hello") | more
    if chosen.startswith("400"):
        refused(int(chosen.split()[1]), 400, account.client.messages.create, **message)
        return
    created = account.client.messages.create(**message)
    assert created.status == "accepted"
    explained = account.ours("GET", f"Explain/{created.sid}")
    decision = explained["decision"]
    if chosen.startswith("fail"):
        code = int(chosen.split()[1])
        assert account.settled(created, "failed").error_code == code
        assert (decision["rule"], decision["error_code"]) == (None, code)
        return
    address = SENDERS[chosen][1]
    first = explained["candidates"][0]
    assert (first["sender"], decision["steps"][-1]["rule"]) == (address, rule)
    # No carrier takes media yet: who would have had it is the last that is removed.
    has_media = "media_url" in more
    expected = (None, 21612, "media_not_carried") if has_media else (rule, None, rule)
    assert (decision["rule"], decision["error_code"], first["rule"]) == expected
    shown = [
        decision["sticky"].replace("ignore", ""),
        f"warning {decision['warning_code']}" if decision["warning_code"] else "",
        "as SMS" if decision["is_converted_to_sms"] else "",
    ]
    # And no recipient is remembered.
    expected = also.replace("write, ", "") if has_media else also
    assert ", ".join(filter(None, shown)) == expected
    if has_media:
        assert account.settled(created, "failed").error_code == 21612
    else:
        assert account.settled(created).from_ == address
        if "S" in settings.split() and not to.startswith("whatsapp:") and "from_" not in more:
            assert account.sticky_sender(service, to) == address
    if "warning" in also:
        alerts = account.client.monitor.v1.alerts
        (alert,) = eventually(alerts.list, lambda found: len(found) == 1, what="an alert")
        assert (alert.error_code, alert.resource_sid) == ("30018", created.sid)


def test_no_example_is_forgotten():
    assert len(EXAMPLES) + len(TIME_PASSES) == 50
    for number, state in TIME_PASSES.items():
        (row,) = [row for row in rows(EXAMPLES_PART) if row[0] == number]
        assert state in row[2]
