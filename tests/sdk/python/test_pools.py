"""The five sender pools of a service: what joins, what is refused, and with which code. api.md 8.3."""

import pytest

from harness.numbers import short_code, uk_number, us_number
from harness.postrider import Postrider

POOL_SIZE_MAX = 3
NOBODY = "0" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    config = f"[limits]\npool_size_max = {POOL_SIZE_MAX}\n[pace]\nlong_code = 0\n"
    with Postrider(tmp_path_factory.mktemp("pools"), config) as postrider:
        yield postrider


def number(account):
    return dict(phone_number_sid=account.number().sid)


def code(account):
    return dict(short_code_sid=account.short_code().sid)


def alpha(account):
    return dict(alpha_sender="ACME")


def destination_alpha(account):
    return dict(alpha_sender="ACME", iso_country_code="GB")


def channel(account):
    return dict(sid=account.whatsapp(us_number()).sid)


# The SDK's name, who joins, what the entry shows beside the SID.
POOLS = [
    ("phone_numbers", number, dict(country_code="US", capabilities=["SMS"])),
    ("short_codes", code, dict(country_code="US", capabilities=["SMS"])),
    ("alpha_senders", alpha, dict(alpha_sender="ACME", capabilities=["SMS"])),
    (
        "destination_alpha_senders",
        destination_alpha,
        dict(alpha_sender="ACME", iso_country_code="GB", capabilities=["SMS"]),
    ),
    ("channel_senders", channel, dict(sender_type="WhatsApp", country_code="US")),
]
EACH_POOL = pytest.mark.parametrize("name, make, shown", POOLS, ids=[row[0] for row in POOLS])


def pool_of(account, service, name):
    return getattr(account.client.messaging.v1.services(service.sid), name)


@EACH_POOL
def test_a_sender_joins_is_listed_fetched_and_leaves(account, refused, name, make, shown):
    service = account.service()
    pool, joins = pool_of(account, service, name), make(account)
    member = pool.create(**joins)
    if "alpha_sender" not in joins:
        assert member.sid in joins.values(), "the SID is the sender's own"
    else:
        assert member.sid.startswith("AI")
    for read in (member, pool(member.sid).fetch(), *pool.list()):
        assert {key: getattr(read, key) for key in shown} == shown
        assert (read.sid, read.account_sid) == (member.sid, account.account_sid)
        of = read.messaging_service_sid if name == "channel_senders" else read.service_sid
        assert of == service.sid
        assert read.date_created == read.date_updated == member.date_created
    refused(21710, 409, pool.create, **joins)

    elsewhere = pool_of(account, account.service(), name)
    refused(20404, 404, elsewhere(member.sid).fetch)
    refused(20404, 404, elsewhere(member.sid).delete)
    if "alpha_sender" in joins:
        assert elsewhere.create(**joins).sid != member.sid, "a name is nobody's"
    else:
        refused(21712, 409, elsewhere.create, **joins)
    assert pool(member.sid).delete() is True
    assert pool.list() == []
    refused(20404, 404, pool(member.sid).fetch)
    refused(20404, 404, pool(member.sid).delete)
    if "alpha_sender" not in joins:
        assert elsewhere.create(**joins).sid == member.sid, "free for another pool"


@EACH_POOL
def test_a_pool_is_read_in_pages(account, name, make, shown):
    service = account.service()
    pool = pool_of(account, service, name)
    names = iter(["ACME", "BOLT", "CASA"])
    for _ in range(POOL_SIZE_MAX):
        joins = make(account)
        if "alpha_sender" in joins:
            joins["alpha_sender"] = next(names)
        pool.create(**joins)
    everybody = [member.sid for member in pool.list()]
    assert len(set(everybody)) == POOL_SIZE_MAX
    first = pool.page(page_size=2)
    second = first.next_page()
    assert [member.sid for member in first] == everybody[:2]
    assert [member.sid for member in second] == everybody[2:]
    assert second.next_page() is None
    assert [member.sid for member in second.previous_page()] == everybody[:2]


REFUSED = [
    ("phone_numbers", dict(phone_number_sid="PN1"), 20423, 400),
    ("phone_numbers", dict(phone_number_sid=f"PN{NOBODY}"), 20404, 404),
    ("phone_numbers", dict(phone_number_sid=f"SC{NOBODY}"), 20423, 400),
    ("phone_numbers", dict(phone_number_sid=""), 20001, 400),
    ("short_codes", dict(short_code_sid="SC1"), 20423, 400),
    ("short_codes", dict(short_code_sid=f"SC{NOBODY}"), 20404, 404),
    ("short_codes", dict(short_code_sid=""), 20001, 400),
    ("alpha_senders", dict(alpha_sender=""), 21708, 400),
    ("alpha_senders", dict(alpha_sender="12345"), 21709, 400),
    ("alpha_senders", dict(alpha_sender="TwelveLetter"), 21709, 400),
    ("alpha_senders", dict(alpha_sender="Ünicode"), 21709, 400),
    ("destination_alpha_senders", dict(alpha_sender=""), 21708, 400),
    ("destination_alpha_senders", dict(alpha_sender="A!"), 21709, 400),
    ("destination_alpha_senders", dict(alpha_sender="ACME", iso_country_code="UK"), 20001, 400),
    ("destination_alpha_senders", dict(alpha_sender="ACME", iso_country_code="Peru"), 20001, 400),
    ("channel_senders", dict(sid="XE1"), 20423, 400),
    ("channel_senders", dict(sid=f"XE{NOBODY}"), 20404, 404),
    ("channel_senders", dict(sid=f"PN{NOBODY}"), 20423, 400),
    ("channel_senders", dict(sid=""), 20001, 400),
]


@pytest.mark.parametrize("name, joins, error, status", REFUSED)
def test_a_bad_entry_is_refused(account, refused, name, joins, error, status):
    pool = pool_of(account, account.service(), name)
    refused(error, status, pool.create, **joins)
    assert pool.list() == []


def test_a_full_pool_takes_nobody(account, refused):
    service = account.service()
    for _ in range(POOL_SIZE_MAX):
        service.phone_numbers.create(**number(account))
    refused(21714, 412, service.phone_numbers.create, **number(account))
    refused(21714, 412, service.short_codes.create, **code(account))
    service.phone_numbers(service.phone_numbers.list()[0].sid).delete()
    service.short_codes.create(**code(account))


def test_a_number_must_be_able_to_send(account, refused):
    mute = account.enabled(account.number(), SmsEnabled="false")
    pool = account.service().phone_numbers
    refused(21715, 400, pool.create, phone_number_sid=mute.sid)
    account.enabled(mute, MmsEnabled="true", VoiceEnabled="true")
    assert pool.create(phone_number_sid=mute.sid).capabilities == ["MMS", "Voice"]


def test_another_accounts_sender_joins_nothing(main, account, refused):
    service = account.service()
    strange = main.incoming_phone_numbers.create(phone_number=us_number())
    refused(20404, 404, service.phone_numbers.create, phone_number_sid=strange.sid)
    assert strange.delete() is True


def test_one_name_for_all_countries_and_others_for_some(account, refused):
    service = account.service()
    pool = service.destination_alpha_senders
    general = pool.create(alpha_sender="ACME")
    french = pool.create(alpha_sender="ACME FR", iso_country_code="fr")
    assert (general.iso_country_code, french.iso_country_code) == (None, "FR")
    refused(21710, 409, service.alpha_senders.create, alpha_sender="ACME")
    refused(21710, 409, pool.create, alpha_sender="ACME FR", iso_country_code="FR")
    assert {member.sid for member in pool.list()} == {general.sid, french.sid}
    assert [member.sid for member in pool.list(iso_country_code="FR")] == [french.sid]
    assert pool.list(iso_country_code="DE") == []
    assert [member.sid for member in service.alpha_senders.list()] == [general.sid]


def test_a_released_number_leaves_its_pool(account, refused):
    british = account.number(uk_number())
    service = account.service(british)
    assert service.phone_numbers(british.sid).fetch().country_code == "GB"
    assert account.client.incoming_phone_numbers(british.sid).delete() is True
    assert service.phone_numbers.list() == []
    message = dict(to=us_number(), messaging_service_sid=service.sid, body="hello")
    refused(21704, 400, account.client.messages.create, **message)


def test_our_short_codes_and_what_a_pool_shows_of_them(account, refused):
    digits = short_code()
    code = account.short_code(digits, "GB", MmsEnabled="true")
    service = account.service()
    member = service.short_codes.create(short_code_sid=code.sid)
    assert (member.country_code, member.capabilities) == ("GB", ["MMS", "SMS"])
    path = f"ShortCodes/{code.sid}"
    kept = account.ours("GET", path)
    assert (kept["iso_country"], kept["served_networks"], kept["pace"]) == ("GB", [], None)
    changed = account.ours("POST", path, ServedNetworks=["234-10", "235"], Pace="2.5")
    assert (set(changed["served_networks"]), changed["pace"]) == ({"234-10", "235"}, 2.5)
    listed = account.ours("GET", "ShortCodes")["short_codes"]
    assert [entry["short_code"] for entry in listed] == [digits]
    assert account.ours("POST", path, status=400, ServedNetworks="O2")["code"] == 20001
    assert account.ours("DELETE", path) is None
    assert service.short_codes.list() == []
    refused(20404, 404, account.client.short_codes(code.sid).fetch)
