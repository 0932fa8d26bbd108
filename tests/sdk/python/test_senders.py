"""Numbers, short codes, Messaging Services and their sender pools: api.md 8.2 to 8.4."""

import pytest

from harness.numbers import uk_number, us_number


def test_a_number_is_registered_listed_fetched_changed_and_removed(account, refused):
    phone_number = us_number()
    number = account.client.incoming_phone_numbers.create(
        phone_number=phone_number,
        friendly_name="front desk",
        sms_url="https://example.com/inbound",
        sms_fallback_url="https://example.com/fallback",
    )
    assert number.sid.startswith("PN")
    assert number.phone_number == phone_number
    assert number.capabilities["sms"] is True
    assert (number.sms_url, number.sms_method) == ("https://example.com/inbound", "POST")

    numbers = account.client.incoming_phone_numbers
    assert [listed.sid for listed in numbers.list(phone_number=phone_number)] == [number.sid]
    assert [listed.sid for listed in numbers.list(friendly_name="front desk")] == [number.sid]
    assert numbers.list(phone_number="+19999") == []
    assert numbers(number.sid).fetch().friendly_name == "front desk"

    changed = numbers(number.sid).update(friendly_name="back office", sms_method="GET")
    assert (changed.friendly_name, changed.sms_method) == ("back office", "GET")
    assert changed.sms_url == "https://example.com/inbound", "what is not named stays"
    assert not numbers(number.sid).update(sms_url="").sms_url, "an empty value clears"

    assert numbers(number.sid).delete() is True
    refused(20404, 404, numbers(number.sid).fetch)


def test_registering_a_number_twice_is_an_update(account):
    first = account.number()
    again = account.number(first.phone_number, friendly_name="again")
    assert (again.sid, again.status, again.friendly_name) == (first.sid, "in-use", "again")


def test_a_short_code_is_created_listed_fetched_and_changed(account):
    code = account.short_code()
    assert code.sid.startswith("SC")
    codes = account.client.short_codes
    assert [listed.sid for listed in codes.list(short_code=code.short_code)] == [code.sid]
    changed = codes(code.sid).update(friendly_name="votes", sms_url="https://example.com/votes")
    assert (changed.friendly_name, changed.sms_url) == ("votes", "https://example.com/votes")
    assert codes(code.sid).fetch().friendly_name == "votes"


SERVICE_DEFAULTS = [
    ("sticky_sender", True),
    ("area_code_geomatch", True),
    ("smart_encoding", True),
    ("mms_converter", True),
    ("fallback_to_long_code", False),
    ("synchronous_validation", False),
    ("validity_period", 36000),
    ("usecase", "undeclared"),
    ("scan_message_content", "inherit"),
    ("inbound_request_url", None),
    ("inbound_method", "POST"),
    ("status_callback", None),
]


@pytest.mark.parametrize("setting, default", SERVICE_DEFAULTS)
def test_a_new_service_has_the_documented_default(account, setting, default):
    assert getattr(account.service(), setting) == default


def test_a_service_is_created_listed_fetched_changed_and_deleted(account, refused):
    service = account.service(friendly_name="alerts", sticky_sender=False, validity_period=600)
    assert service.sid.startswith("MG")
    assert (service.sticky_sender, service.validity_period) == (False, 600)

    services = account.client.messaging.v1.services
    assert [listed.sid for listed in services.list()] == [service.sid]
    assert services(service.sid).fetch().friendly_name == "alerts"

    changed = services(service.sid).update(
        friendly_name="alarms", status_callback="https://example.com/status", usecase="marketing"
    )
    assert changed.friendly_name == "alarms"
    assert changed.status_callback == "https://example.com/status"
    assert changed.usecase == "marketing"
    assert changed.validity_period == 600, "what is not named stays"
    assert services(service.sid).update(status_callback="").status_callback is None

    assert services(service.sid).delete() is True
    refused(20404, 404, services(service.sid).fetch)


def test_a_pool_takes_lists_shows_and_gives_back_a_number(account, refused):
    number, service = account.number(), account.service()
    member = service.phone_numbers.create(phone_number_sid=number.sid)
    assert (member.sid, member.phone_number) == (number.sid, number.phone_number)
    assert member.country_code == "US"
    assert "SMS" in member.capabilities

    pool = account.client.messaging.v1.services(service.sid).phone_numbers
    assert [listed.sid for listed in pool.list()] == [number.sid]
    assert pool(number.sid).fetch().service_sid == service.sid
    assert pool(number.sid).delete() is True
    refused(20404, 404, pool(number.sid).fetch)
    assert account.client.incoming_phone_numbers(number.sid).fetch().sid == number.sid


def test_a_pool_takes_lists_shows_and_gives_back_a_short_code(account, refused):
    code, service = account.short_code(), account.service()
    member = service.short_codes.create(short_code_sid=code.sid)
    assert (member.sid, member.short_code, member.country_code) == (code.sid, code.short_code, "US")

    pool = account.client.messaging.v1.services(service.sid).short_codes
    assert [listed.sid for listed in pool.list()] == [code.sid]
    assert pool(code.sid).fetch().short_code == code.short_code
    assert pool(code.sid).delete() is True
    refused(20404, 404, pool(code.sid).fetch)


def test_a_pool_takes_lists_shows_and_gives_back_an_alpha_sender(account, refused):
    service = account.service()
    member = service.alpha_senders.create(alpha_sender="ACME Shop")
    assert member.sid.startswith("AI")
    assert (member.alpha_sender, member.capabilities) == ("ACME Shop", ["SMS"])

    pool = account.client.messaging.v1.services(service.sid).alpha_senders
    assert [listed.sid for listed in pool.list()] == [member.sid]
    assert pool(member.sid).fetch().alpha_sender == "ACME Shop"
    assert pool(member.sid).delete() is True
    refused(20404, 404, pool(member.sid).fetch)


def test_deleting_a_service_frees_its_numbers(account):
    number = account.number()
    service = account.service(number)
    account.client.messaging.v1.services(service.sid).delete()
    account.service(number)


def test_the_service_chooses_the_sender_that_fits_the_recipient(account):
    us, uk = account.number(us_number()), account.number(uk_number())
    service = account.service(us, uk)
    table = [(us_number(), us), (uk_number(), uk)]
    for recipient, expected in table:
        message = account.client.messages.create(
            to=recipient, messaging_service_sid=service.sid, body="hello"
        )
        assert account.settled(message).from_ == expected.phone_number


def test_a_number_that_is_suspended_is_passed_over_and_refused(account, refused):
    first, second = account.number(), account.number()
    service = account.service(first, second)
    account.enabled(first, Status="suspended")
    numbers = account.client.incoming_phone_numbers
    assert numbers(first.sid).fetch().status == "suspended"
    recipient = us_number()
    assert account.sent(service, recipient).from_ == second.phone_number
    refused(
        21606,
        400,
        account.client.messages.create,
        to=us_number(),
        from_=first.phone_number,
        body="hello",
    )

    account.enabled(second, Status="porting")
    assert account.sent(service, recipient, status="failed").error_code == 21703

    account.enabled(first, Status="active")
    assert numbers(first.sid).fetch().status == "in-use"
    assert account.sent(service, recipient).from_ == first.phone_number


def test_a_short_code_may_wait_for_its_registration(account):
    number, code = account.number(), account.short_code(Status="pending")
    service = account.service(number)
    service.short_codes.create(short_code_sid=code.sid)
    assert account.sent(service).from_ == number.phone_number
    registered = account.ours("POST", f"ShortCodes/{code.sid}", Status="active")
    assert registered["status"] == "active"
    assert account.sent(service).from_ == code.short_code
