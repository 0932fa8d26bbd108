"""Handsets text; applications written with the SDK are asked, and what they answer arrives.

content-and-inbound.md 4.
"""

import pytest
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import Body, Media, Message, MessagingResponse, Redirect

from harness.numbers import us_number
from harness.waiting import eventually


def screen(account, handset):
    """What the handset shows, oldest first."""
    shown = account.ours("GET", f"Simulator/Handsets/%2B{handset[1:]}", status=(200, 404))
    return [(text["from"], text["body"]) for text in reversed(shown.get("messages", []))]


def texted(account, handset, count):
    return eventually(
        lambda: screen(account, handset),
        lambda texts: len(texts) >= count,
        what=f"{count} texts on the handset",
    )


def genuine(account, webhook):
    """Whether the SDK's validator accepts it, and would not with another token."""
    fields = webhook.fields if webhook.method == "POST" else {}
    signature = webhook.headers["x-twilio-signature"]
    accepts = [
        RequestValidator(token).validate(webhook.url, fields, signature)
        for token in (account.auth_token, "0" * 32)
    ]
    return accepts == [True, False]


@pytest.fixture
def number(account, receiver):
    """A number whose application is at `number.sms_url`."""
    return account.number(sms_url=receiver.url())


@pytest.fixture
def handset():
    return us_number()


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("rest", ["", "?tenant=42&name=a%20b"])
def test_the_validator_accepts_the_request(account, receiver, handset, method, rest):
    number = account.number(sms_url=receiver.url(rest), sms_method=method)
    account.handset_texts(handset, number.phone_number, "Où est-ce ? 😀 a+b=c&d")
    [webhook] = eventually(lambda: receiver.requests(number.sms_url), what="the webhook")
    assert webhook.method == method
    assert genuine(account, webhook)
    [message] = account.client.messages.list(to=number.phone_number)
    expected = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": account.account_sid,
        "From": handset,
        "To": number.phone_number,
        "Body": "Où est-ce ? 😀 a+b=c&d",
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
        "FromCountry": "US",
        "ToCountry": "US",
        "FromCity": "",
        "FromState": "",
        "FromZip": "",
        "ToCity": "",
        "ToState": "",
        "ToZip": "",
    }
    assert {name: webhook.fields.get(name) for name in expected} == expected
    assert (message.direction, message.status) == ("inbound", "received")


def replying(*texts):
    response = MessagingResponse()
    for text in texts:
        response.message(text)
    return response


def nested():
    response = MessagingResponse()
    message = Message()
    message.append(Body("2 < 3 & \"so\" 😀"))
    response.append(message)
    return response


ANSWERS = {
    "one message": (replying("Hi"), ["Hi"]),
    "two messages": (replying("One", "Two"), ["One", "Two"]),
    "a nested body": (nested(), ["2 < 3 & \"so\" 😀"]),
    "nothing": (replying(), []),
}


@pytest.mark.parametrize("answer, texts", ANSWERS.values(), ids=ANSWERS)
def test_what_the_builder_says_arrives(account, receiver, number, handset, answer, texts):
    receiver.say(number.sms_url, answer)
    account.handset_texts(handset, number.phone_number)
    assert sorted(texted(account, handset, len(texts))) == sorted(
        (number.phone_number, text) for text in texts
    )
    replies = account.client.messages.list(to=handset)
    assert {reply.direction for reply in replies} <= {"outbound-reply"}
    eventually(lambda: receiver.requests(number.sms_url), what="the webhook")
    assert account.client.monitor.v1.alerts.list() == []


def test_plain_text_is_a_reply(account, receiver, number, handset):
    receiver.say(number.sms_url, "Just this\n", content_type="text/plain; charset=utf-8")
    account.handset_texts(handset, number.phone_number)
    assert texted(account, handset, 1) == [(number.phone_number, "Just this")]


def test_a_reply_reports_its_status(account, receiver, number, handset):
    response = MessagingResponse()
    events = receiver.url()
    response.message("Hi", action=events, method="GET")
    receiver.say(number.sms_url, response)
    account.handset_texts(handset, number.phone_number)
    requests = receiver.wait_for(events, "delivered")
    assert [request.status for request in requests] == ["sent", "delivered"]
    assert {request.method for request in requests} == {"GET"}
    assert all(genuine(account, request) for request in requests)


def test_a_message_may_go_elsewhere(account, receiver, number, handset):
    other, friend = account.number(), us_number()
    response = MessagingResponse()
    response.message("For you", to=friend, from_=other.phone_number)
    receiver.say(number.sms_url, response)
    account.handset_texts(handset, number.phone_number)
    assert texted(account, friend, 1) == [(other.phone_number, "For you")]
    assert screen(account, handset) == []


def test_a_redirect_goes_on(account, receiver, number, handset):
    response = replying("First")
    next_url = receiver.url()
    response.append(Redirect(next_url, method="GET"))
    receiver.say(number.sms_url, response)
    receiver.say(next_url, replying("Then"))
    account.handset_texts(handset, number.phone_number)
    assert len(texted(account, handset, 2)) == 2
    [webhook] = receiver.requests(next_url)
    assert webhook.method == "GET" and webhook.fields["From"] == handset
    assert genuine(account, webhook)


def test_the_fallback_answers_for_a_url_that_fails(account, receiver, handset):
    fallback = receiver.url()
    number = account.number(sms_url=receiver.url(), sms_fallback_url=fallback)
    receiver.answer(number.sms_url, 500)
    receiver.say(fallback, replying("We are back soon"))
    account.handset_texts(handset, number.phone_number)
    assert texted(account, handset, 1) == [(number.phone_number, "We are back soon")]
    [webhook] = receiver.requests(fallback)
    assert (webhook.fields["ErrorCode"], webhook.fields["ErrorUrl"]) == ("11217", number.sms_url)
    assert genuine(account, webhook)
    [alert] = eventually(account.client.monitor.v1.alerts.list, what="the alert")
    assert (alert.error_code, alert.request_url) == ("11217", number.sms_url)


def test_an_answer_that_is_no_twiml_is_shown_in_its_alert(account, receiver, number, handset):
    receiver.say(number.sms_url, '{"error": "no such route"}', content_type="application/json")
    account.handset_texts(handset, number.phone_number)
    [alert] = eventually(account.client.monitor.v1.alerts.list, what="the alert")
    alert = account.client.monitor.v1.alerts(alert.sid).fetch()
    assert alert.error_code == "12300"
    assert alert.response_body == '{"error": "no such route"}'
    assert "application/json" in str(alert.response_headers)
    [message] = account.client.messages.list(to=number.phone_number)
    assert alert.resource_sid == message.sid


def test_a_service_asks_its_own_application(account, receiver, handset):
    number = account.number(sms_url=receiver.url())
    inbound, events = receiver.url(), receiver.url()
    service = account.service(
        number,
        inbound_request_url=inbound,
        use_inbound_webhook_on_number=False,
        status_callback=events,
    )
    receiver.say(inbound, replying("Hi"))
    account.handset_texts(handset, number.phone_number)
    assert texted(account, handset, 1) == [(number.phone_number, "Hi")]
    [webhook] = receiver.requests(inbound)
    assert webhook.fields["MessagingServiceSid"] == service.sid
    assert receiver.requests(number.sms_url) == []
    [reply] = account.client.messages.list(to=handset)
    assert reply.messaging_service_sid == service.sid
    receiver.wait_for(events, "delivered")


def test_cookies_belong_to_a_conversation(account, receiver, number, handset):
    receiver.say(number.sms_url, replying(), cookie="step=2; Path=/")
    seen = lambda: receiver.requests(number.sms_url)
    for count in (1, 2):
        account.handset_texts(handset, number.phone_number)
        eventually(seen, lambda requests: len(requests) == count, what="the webhook")
    assert [webhook.headers.get("cookie") for webhook in seen()] == [None, "step=2"]


def test_media_in_an_answer_fails_like_any_that_no_route_carries(account, receiver, number, handset):
    response = MessagingResponse()
    message = Message()
    message.append(Body("Look"))
    message.append(Media("https://example.com/cat.png"))
    response.append(message)
    receiver.say(number.sms_url, response)
    account.handset_texts(handset, number.phone_number)
    eventually(account.client.monitor.v1.alerts.list, what="the alert")
    assert screen(account, handset) == []
