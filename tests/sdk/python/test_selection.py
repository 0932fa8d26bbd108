"""Sender selection as sending shows it: sending.md 9 lists what a customer can see, and this is it.

Single decisions are in test_worked_examples.py; here are those that need more than one message.
"""

import collections
import csv
import itertools

import pytest

from harness.numbers import short_code, uk_number, us_number
from harness.postrider import ROOT
from harness.waiting import eventually

OVERLAYS = ROOT / "crates/core/data/nanp_overlays.csv"


def us_number_in(area_code, last=itertools.count(1)):
    """A fresh number of an area code, with the digits that no customer of a carrier has."""
    return f"+1{area_code}555{next(last) % 1000 + 5000:04d}"


def test_a_recipient_keeps_its_sender_while_it_is_in_the_pool(account):
    one, two = account.number(), account.number()
    service = account.service(one, two)
    recipient = us_number()
    first = account.sent(service, recipient).from_
    assert {account.sent(service, recipient).from_ for _ in range(4)} == {first}
    assert account.sticky_sender(service, recipient) == first

    mine, other = (one, two) if first == one.phone_number else (two, one)
    service.phone_numbers(mine.sid).delete()
    assert account.sent(service, recipient).from_ == other.phone_number
    service.phone_numbers.create(phone_number_sid=mine.sid)
    assert account.sent(service, recipient).from_ == other.phone_number, "no way back"
    assert account.sticky_sender(service, recipient) == other.phone_number


def test_a_sender_that_left_is_known_to_nobody(account):
    number, recipient = account.number(), us_number()
    service = account.service(number)
    account.sent(service, recipient)
    service.phone_numbers(number.sid).delete()
    assert account.sticky_sender(service, recipient) is None
    listed = account.ours("GET", "StickySenders", params={"MessagingServiceSid": service.sid})
    assert listed["sticky_senders"] == []


def test_each_service_has_its_own_memory(account):
    recipient = us_number()
    numbers = [account.number(), account.number()]
    for number in numbers:
        service = account.service(number)
        assert account.sent(service, recipient).from_ == number.phone_number
        assert account.sticky_sender(service, recipient) == number.phone_number


def test_sticky_sender_is_switched_at_once_and_forgets_nothing(account):
    """Two that take turns when nobody is sticky: the one used longer ago is next."""
    service = account.service(account.number(), account.number())
    recipient = us_number()
    known = account.sent(service, recipient).from_
    for is_on in (False, True, False, True):
        service.update(sticky_sender=is_on)
        senders = [account.sent(service, recipient).from_ for _ in range(4)]
        assert senders == [known] * 4 if is_on else len(set(senders)) == 2
    assert account.sticky_sender(service, recipient) == known


@pytest.mark.parametrize("joins", ["number", "short code", "alpha sender"])
def test_who_is_known_by_a_foreign_number_moves_when_one_of_the_country_joins(account, joins):
    foreign, recipient = account.number(us_number()), uk_number()
    service = account.service(foreign)
    assert account.sent(service, recipient).from_ == foreign.phone_number
    if joins == "number":
        number = account.number(uk_number())
        service.phone_numbers.create(phone_number_sid=number.sid)
        expected = number.phone_number
    elif joins == "short code":
        code = account.short_code(short_code(), "GB")
        service.short_codes.create(short_code_sid=code.sid)
        expected = code.short_code
    else:
        service.alpha_senders.create(alpha_sender="ACME")
        expected = foreign.phone_number  # an alpha sender breaks nothing
    assert account.sent(service, recipient).from_ == expected
    assert account.sticky_sender(service, recipient) == expected


def test_an_unknown_recipient_gets_a_destination_alpha_before_the_general_one(account):
    service = account.service()
    service.alpha_senders.create(alpha_sender="ACME")
    service.destination_alpha_senders.create(alpha_sender="ACME UK", iso_country_code="GB")
    assert account.sent(service, uk_number()).from_ == "ACME UK"
    assert account.sent(service, "+33700000199").from_ == "ACME"


def test_a_named_sender_is_used_and_changes_no_memory(account, refused):
    one, two, outside = account.number(), account.number(), account.number()
    service = account.service(one, two)
    recipient = us_number()
    known = account.sent(service, recipient).from_
    other = two if known == one.phone_number else one
    message = account.client.messages.create(
        to=recipient, messaging_service_sid=service.sid, from_=other.phone_number, body="hello"
    )
    assert message.status == "accepted"
    assert account.settled(message).from_ == other.phone_number
    assert account.sticky_sender(service, recipient) == known
    stranger = us_number()
    account.sent(service, stranger, from_=one.phone_number)
    assert account.sticky_sender(service, stranger) is None
    refused(21711, 400, account.sent, service, recipient, from_=outside.phone_number)
    # The service's SID in the place of a sender is the service.
    message = account.client.messages.create(to=recipient, from_=service.sid, body="hello")
    assert account.settled(message).from_ == known


def test_recipients_are_spread_over_equal_senders(account):
    numbers = [account.number() for _ in range(4)]
    service = account.service(*numbers)
    senders = [account.sent(service) for _ in range(18)]
    counts = collections.Counter(message.from_ for message in senders)
    assert set(counts) == {number.phone_number for number in numbers}
    assert max(counts.values()) - min(counts.values()) <= 1, counts


def test_without_memory_the_idle_sender_is_next(account):
    """One segment a second: whoever had a message has a queue, so the k-th goes to the k-th."""
    numbers = [account.enabled(account.number(), Pace=1) for _ in range(5)]
    service = account.service(*numbers, sticky_sender=False)
    recipient = us_number()
    messages = [
        account.client.messages.create(
            to=recipient, messaging_service_sid=service.sid, body="hello"
        )
        for _ in numbers
    ]
    senders = [account.ours("GET", f"Explain/{message.sid}")["from"] for message in messages]
    assert senders == [number.phone_number for number in numbers]


def test_area_code_geomatch_is_switched_at_once(account):
    far, near = account.number(us_number_in("212")), account.number(us_number_in("628"))
    service = account.service(far, near, sticky_sender=False)
    for is_on, expected in [(True, {near}), (False, {far, near}), (True, {near})]:
        service.update(area_code_geomatch=is_on)
        senders = {account.sent(service, us_number_in("415")).from_ for _ in range(4)}
        assert senders == {number.phone_number for number in expected}


def overlay_groups():
    """Area codes that share a territory, by group, where there are two with numbers in use."""
    groups = collections.defaultdict(list)
    with OVERLAYS.open(newline="") as file:
        for row in csv.DictReader(file):
            for group in filter(None, row["overlay_group"].split(";")):
                groups[group].append((row["area_code"], row["country"]))
    return {group: codes for group, codes in groups.items() if len(codes) > 1}


def test_every_overlay_group_is_one_territory(account):
    """A number of the same country that is nowhere near joins first, so it would win any tie."""
    decoys = {"US": account.number(us_number_in("907")), "CA": account.number(us_number_in("867"))}
    service = account.service(*decoys.values(), sticky_sender=False)
    groups = overlay_groups()
    assert len(groups) > 50
    sent = []
    for codes in groups.values():
        (own, _), *others = codes
        number = account.number(us_number_in(own))
        service.phone_numbers.create(phone_number_sid=number.sid)
        for area_code, _ in [(own, None), *others]:
            message = account.client.messages.create(
                to=us_number_in(area_code), messaging_service_sid=service.sid, body="hello"
            )
            sent.append((message, number.phone_number))
        service.phone_numbers(number.sid).delete()
    # The sender was chosen before the answer.
    table = {message.sid: sender for message, sender in sent}
    listed = {message.sid: message.from_ for message in account.client.messages.stream(page_size=500)}
    assert listed == table


def test_toll_free_numbers_are_us_numbers_without_an_area_code(account):
    toll_free, far = account.number("+18885550105"), account.number(us_number_in("212"))
    service = account.service(toll_free, far, sticky_sender=False)
    question = dict(MessagingServiceSid=service.sid, Body="hello")
    for to, expected in [
        (us_number_in("212"), far),
        (us_number_in("415"), toll_free),  # equal, and first in the pool
        (uk_number(), toll_free),
    ]:
        asked = account.ours("POST", "DryRun", To=to, **question)
        assert (asked["from"], asked["warnings"]) == (expected.phone_number, [])
    second = account.number("+18775550106")
    service.phone_numbers.create(phone_number_sid=second.sid)
    (warning,) = account.ours("POST", "DryRun", To=us_number_in("415"), **question)["warnings"]
    assert warning["code"] is None and "2 toll-free numbers" in warning["message"]
    assert account.ours("GET", f"Services/{service.sid}")["warnings"] == [warning]
    account.sent(service, us_number_in("415"))  # and goes out all the same


CAPABILITIES = [
    (dict(SmsEnabled="true", MmsEnabled="false", VoiceEnabled="false"), None),
    (dict(SmsEnabled="false", MmsEnabled="true", VoiceEnabled="true"), 21703),
]


@pytest.mark.parametrize("capabilities, error", CAPABILITIES)
def test_a_text_needs_a_number_with_sms_and_nothing_else(account, capabilities, error):
    number = account.number()
    service = account.service(number)
    account.enabled(number, **capabilities)
    if error:
        assert account.sent(service, status="failed").error_code == error
    else:
        account.sent(service)


def test_media_is_for_those_that_can_carry_it(account):
    plain = account.number(us_number_in("415"))
    able = account.enabled(account.number(us_number_in("212")), MmsEnabled="true")
    service = account.service(plain, able)
    question = dict(MessagingServiceSid=service.sid, To=us_number_in("415"), Body="hello")
    media = dict(MediaUrl="https://example.com/cat.png")
    assert account.ours("POST", "Explain", **question)["from"] == plain.phone_number
    explained = account.ours("POST", "Explain", **question, **media)
    rules = {it["sender"]: it["rule"] for it in explained["candidates"]}
    assert rules[plain.phone_number] == "no_mms"
    assert explained["candidates"][0]["sender"] == able.phone_number
    assert explained["decision"]["is_converted_to_sms"] is False
    assert explained["decision"]["error_code"] == 21612, "no carrier takes media yet"
    # Nobody can: it would go out as a link, or not at all.
    service.phone_numbers(able.sid).delete()
    for is_on, converted, error in [(True, True, 21612), (False, False, 21703), (True, True, 21612)]:
        service.update(mms_converter=is_on)
        decision = account.ours("POST", "Explain", **question, **media)["decision"]
        assert decision["is_converted_to_sms"] is converted
        assert decision["error_code"] == error


def test_a_handset_that_texts_first_chooses(account):
    first, second = account.number(), account.number()
    service = account.service(first, second)
    handset = us_number()
    account.handset_texts(handset, second.phone_number)
    eventually(lambda: account.sticky_sender(service, handset), what="a known sender")
    assert account.sent(service, handset).from_ == second.phone_number
    account.handset_texts(handset, first.phone_number)
    assert account.sent(service, handset).from_ == second.phone_number


def test_a_whatsapp_recipient_keeps_nobody(account):
    numbers = [us_number(), us_number()]
    service = account.service()
    for number in numbers:
        service.channel_senders.create(sid=account.whatsapp(number).sid)
    recipient = f"whatsapp:{us_number()}"
    senders = [account.sent(service, recipient).from_ for _ in range(4)]
    assert set(senders) == {f"whatsapp:{number}" for number in numbers}
    assert account.sent(service, us_number(), status="failed").error_code == 21703
