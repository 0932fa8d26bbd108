"""WhatsApp senders: registered, pooled, chosen, and told apart from SMS numbers."""

import pytest
from twilio.rest.messaging.v2.channels_sender import ChannelsSenderList

from harness.numbers import us_number


@pytest.fixture
def whatsapp(account):
    """`whatsapp(number)` registers a sender."""
    return account.whatsapp


def test_a_sender_is_registered_listed_fetched_changed_and_removed(account, whatsapp, refused):
    number = us_number()
    sender = whatsapp(
        number,
        configuration={"waba_id": "1234567"},
        webhook={"callback_url": "https://example.com/in", "callback_method": "POST"},
        profile={
            "name": "Acme",
            "emails": [{"email": "a@example.com", "label": "Sales"}],
            "websites": [{"website": "https://example.com", "label": "Shop"}],
        },
    )
    assert sender.sid.startswith("XE")
    assert (sender.sender_id, sender.status) == (f"whatsapp:{number}", "ONLINE")
    assert sender.configuration["waba_id"] == "1234567"
    assert sender.profile["emails"][0]["email"] == "a@example.com"

    senders = account.client.messaging.v2.channels_senders
    assert [listed.sid for listed in senders.list(channel="whatsapp")] == [sender.sid]
    assert senders.list(channel="rcs") == []
    assert senders(sender.sid).fetch().profile["name"] == "Acme"

    update = ChannelsSenderList.MessagingV2ChannelsSenderRequestsUpdate(
        {"profile": {"about": "About us"}}
    )
    changed = senders(sender.sid).update(messaging_v2_channels_sender_requests_update=update)
    assert (changed.profile["about"], changed.profile["name"]) == ("About us", "Acme")
    assert changed.webhook["callback_url"] == "https://example.com/in", "what is not named stays"

    refused(20409, 409, whatsapp, number)
    assert senders(sender.sid).delete() is True
    refused(20404, 404, senders(sender.sid).fetch)


def test_a_pool_takes_lists_shows_and_gives_back_a_whatsapp_sender(account, whatsapp, refused):
    number, service = us_number(), account.service()
    sender = whatsapp(number)
    member = service.channel_senders.create(sid=sender.sid)
    assert (member.sid, member.sender) == (sender.sid, f"whatsapp:{number}")
    assert (member.sender_type, member.country_code) == ("WhatsApp", "US")

    pool = account.client.messaging.v1.services(service.sid).channel_senders
    assert [listed.sid for listed in pool.list()] == [sender.sid]
    assert pool(sender.sid).fetch().messaging_service_sid == service.sid
    refused(21710, 409, pool.create, sid=sender.sid)
    refused(21712, 409, account.service().channel_senders.create, sid=sender.sid)
    assert pool(sender.sid).delete() is True
    refused(20404, 404, pool(sender.sid).fetch)


def test_a_service_tells_both_channels_apart(account, whatsapp):
    number = account.number()
    service = account.service(number)
    sender = whatsapp(number.phone_number)
    service.channel_senders.create(sid=sender.sid)
    body = "Hello – " + "there, " * 30
    recipient = us_number()
    for to, expected, segments in [
        (recipient, number.phone_number, "2"),
        (f"whatsapp:{recipient}", f"whatsapp:{number.phone_number}", "1"),
    ]:
        message = account.client.messages.create(
            to=to, messaging_service_sid=service.sid, body=body
        )
        message = account.settled(message)
        assert (message.to, message.from_, message.num_segments) == (to, expected, segments)


def test_a_whatsapp_sender_is_named_without_a_service(account, whatsapp, refused):
    sender = whatsapp(us_number())
    to = f"whatsapp:{us_number()}"
    create = account.client.messages.create
    message = account.settled(create(to=to, from_=sender.sender_id, body="Hello"))
    assert message.from_ == sender.sender_id
    number = account.number().phone_number
    refused(63007, 400, create, to=to, from_=number, body="Hello")
    refused(30016, 400, create, to=us_number(), from_=sender.sender_id, body="Hello")
