"""What is kept of messages, and what not: retention, discarded texts, masked numbers, erasure."""

import dataclasses
from urllib.parse import quote

import pytest

from harness.numbers import us_number
from harness.waiting import eventually, in_an_hour


def masked(number):
    return number[:-4] + "XXXX"


@pytest.mark.parametrize("through_service", [False, True])
def test_a_discarded_text_is_read_as_empty(account, through_service):
    number = account.number()
    service = account.service(number)
    sender = (
        dict(messaging_service_sid=service.sid)
        if through_service
        else dict(from_=number.phone_number)
    )
    created = account.client.messages.create(
        to=us_number(), body="Your “code”", smart_encoded=True, content_retention="discard", **sender
    )
    assert created.body
    sent = account.settled(created)
    assert (sent.body, sent.num_segments) == ("", "1")


def test_a_discarded_text_goes_with_its_cancelation(account):
    scheduled = account.client.messages.create(
        to=us_number(),
        messaging_service_sid=account.service(account.number()).sid,
        body="see you tomorrow",
        content_retention="discard",
        address_retention="obfuscate",
        schedule_type="fixed",
        send_at=in_an_hour(),
    )
    assert account.client.messages(scheduled.sid).fetch().body == "see you tomorrow"
    canceled = account.client.messages(scheduled.sid).update(status="canceled")
    assert (canceled.body, canceled.status) == ("", "canceled")


def test_a_masked_recipient_is_listed_by_its_mask(account):
    recipient = us_number()
    message = account.client.messages.create(
        to=recipient,
        from_=account.number().phone_number,
        body="hello",
        address_retention="obfuscate",
    )
    assert message.to == masked(recipient)
    assert account.settled(message).to == masked(recipient)
    listed = account.client.messages.list(to=masked(recipient))
    assert [message.sid for message in listed] == [message.sid]
    assert account.client.messages.list(to=recipient) == []


def test_the_masked_message_is_called_back_to_its_end(account, receiver):
    url, recipient = receiver.url(), us_number()
    account.settled(
        account.client.messages.create(
            to=recipient,
            from_=account.number().phone_number,
            body="x" * 200,
            address_retention="obfuscate",
            status_callback=url,
        )
    )
    requests = receiver.wait_for(url, "delivered")
    assert [request.status for request in requests] == ["sent", "delivered"]
    assert {request.fields["To"] for request in requests} == {masked(recipient)}


def test_a_subaccount_is_shown_its_retention_and_does_not_set_it(account):
    assert account.ours("GET", "Account")["message_retention_days"] == 400
    refused = account.ours("POST", "Account", status=403, MessageRetentionDays=7)
    assert refused["code"] == 20403


def test_a_main_account_sets_retention(account, server, main):
    own = dataclasses.replace(
        account, account_sid=server.account_sid, auth_token=server.auth_token, client=main
    )
    try:
        updated = own.ours("POST", "Account", MessageRetentionDays=30)
        assert updated["message_retention_days"] == 30
    finally:
        own.ours("POST", "Account", MessageRetentionDays="")
    assert own.ours("GET", "Account")["message_retention_days"] == 400


def test_a_number_is_erased_and_can_be_written_to_again(account, refused):
    number = account.number()
    service = account.service(number)
    recipient = us_number()
    other = account.sent(service)
    erased = account.sent(service, to=recipient)
    account.handset_texts(recipient, number.phone_number)
    inbound = eventually(
        lambda: account.client.messages.list(from_=recipient),
        lambda messages: len(messages) == 1,
        what="the handset's message",
    )
    assert account.sticky_sender(service, recipient) == number.phone_number
    report = account.ours("DELETE", f"Recipients/{quote(recipient)}")
    assert report["complete"] is True
    assert report["erased"]["messages"] == 2
    assert report["erased"]["sticky_senders"] == 1
    for message in [erased, *inbound]:
        refused(20404, 404, account.client.messages(message.sid).fetch)
    assert [message.sid for message in account.client.messages.list()] == [other.sid]
    assert account.sticky_sender(service, recipient) is None
    account.sent(service, to=recipient)
