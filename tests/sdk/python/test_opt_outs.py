"""Opt-outs as an application and its operator see them: keywords of handsets, Advanced Opt-Out, Consents,
the list with its history, and files of it.

content-and-inbound.md 5.
"""

import json
import uuid

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from harness.numbers import us_number
from harness.waiting import eventually

SALE = "Sale!"


@pytest.fixture
def handset():
    return us_number()


@pytest.fixture
def number(account):
    return account.number()


@pytest.fixture
def service(account, number):
    return account.service(number)


def screen(account, handset):
    """What the handset shows, oldest first."""
    shown = account.ours("GET", f"Simulator/Handsets/%2B{handset[1:]}", status=(200, 404))
    return [text["body"] for text in reversed(shown.get("messages", []))]


def says(account, handset, to, text):
    """The handset texts, and what it is answered."""
    before = len(screen(account, handset))
    account.handset_texts(handset, to, text)
    answers = eventually(
        lambda: screen(account, handset)[before:],
        lambda texts: len(texts) == 1,
        what=f"an answer to {text}",
    )
    return answers[0]


def blocked(account, handset, from_):
    """Whether a message with this `From` is refused because the user opted out."""
    try:
        account.client.messages.create(to=handset, from_=from_, body=SALE)
    except TwilioRestException as refused:
        assert (refused.code, refused.status) == (21610, 400)
        return True
    return False


def consent(handset, sender, status, **others):
    item = dict(
        contact_id=handset,
        correlation_id=uuid.uuid4().hex,
        sender_id=sender,
        status=status,
        source="website",
    )
    return item | others


def told(account, *items):
    """What the items are answered: their error codes and messages."""
    answered = account.client.accounts.v1.bulk_consents.create(items=list(items)).items
    assert [item["correlation_id"] for item in answered] == [
        item["correlation_id"] for item in items
    ]
    return [(item["error_code"], item["error_messages"]) for item in answered]


def configured(account, service, *edits, enabled=True):
    """Sets up Advanced Opt-Out: `edits` are a part of the configuration and a body each."""

    def post(path, body):
        answer = requests.post(
            f"{account.server.url}{path}",
            json=body,
            auth=(account.account_sid, account.auth_token),
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    made = post("/v3/OptOuts", {"messagingServiceSid": service.sid})
    path = f"/v3/OptOuts/{made['opt_out_sid']}"
    for part, body in edits:
        post(f"{path}/{part}", body)
    return post(path, {"enabled": enabled})


def history(account, handset):
    events = account.ours("GET", "OptOuts/History", params={"ContactId": handset})["events"]
    return list(reversed(events))


def test_stop_and_start_to_a_number(account, number, handset):
    assert "unsubscribed" in says(account, handset, number.phone_number, "Stop!")
    assert blocked(account, handset, number.phone_number)
    assert "subscribed" in says(account, handset, number.phone_number, "start")
    assert not blocked(account, handset, number.phone_number)


def test_stop_to_a_service(account, service, number, handset):
    says(account, handset, number.phone_number, "STOP")
    failed = account.sent(service, handset, status="failed")
    assert failed.error_code == 21610
    assert blocked(account, handset, number.phone_number)
    says(account, handset, number.phone_number, "UNSTOP")
    account.sent(service, handset)


def test_a_webhook_is_told_of_advanced_opt_outs_only(account, receiver, handset):
    number = account.number(sms_url=receiver.url())
    service = account.service(number, use_inbound_webhook_on_number=True)

    def webhook(text):
        before = len(receiver.requests(number.sms_url))
        says(account, handset, number.phone_number, text)
        found = eventually(
            lambda: receiver.requests(number.sms_url)[before:],
            lambda requests: len(requests) == 1,
            what=f"the webhook of {text}",
        )
        return found[0].fields

    assert "OptOutType" not in webhook("HELP")
    configured(
        account,
        service,
        ("Keywords", {"keywordType": "STOP.SPANISH", "messageType": "ALL", "keyword": "PARAR"}),
        ("Messages", {"keywordType": "STOP.SPANISH", "messageType": "ALL", "message": "Adiós"}),
        ("Messages", {"keywordType": "START.ALL", "messageType": "ALL", "message": "Welcome"}),
    )
    assert webhook("Parar")["OptOutType"] == "STOP"
    assert blocked(account, handset, number.phone_number)
    assert webhook("START")["OptOutType"] == "START"
    assert screen(account, handset)[1:] == ["Adiós", "Welcome"]
    out, back = history(account, handset)
    assert (out["keyword"], out["language"], out["rule"]) == ("PARAR", "SPANISH", "language_layer")
    assert (back["keyword"], back["status"], back["source"]) == ("START", "opt-in", "opt-in-message")
    said = [account.client.messages(event["message_sid"]).fetch().body for event in (out, back)]
    assert said == ["Parar", "START"]


def test_a_configuration_that_is_off_changes_nothing(account, service, number, handset):
    words = ("Keywords", {"keywordType": "HELP.ALL", "messageType": "ALL", "keyword": "WHO"})
    text = ("Messages", {"keywordType": "HELP.ALL", "messageType": "ALL", "message": "We are us."})
    made = configured(account, service, words, text, enabled=False)
    assert (made["opt_out_sid"][2:], made["enabled"]) == (service.sid[2:], False)
    assert says(account, handset, number.phone_number, "HELP") != "We are us."


def test_consents_block_and_unblock(account, service, number, handset):
    says(account, handset, number.phone_number, "STOP")
    good = (0, [])
    assert told(account, consent(handset, service.sid, "opt-in")) == [good]
    account.sent(service, handset)
    elsewhere = us_number()
    answers = told(
        account,
        consent(handset, number.phone_number, "opt-out", source="offline"),
        consent("+1", service.sid, "opt-out"),
        consent(elsewhere, service.sid, "opt-out", date_of_consent="2026-11-24T09:05:00Z"),
        consent(elsewhere, "MG" + "0" * 32, "maybe"),
    )
    assert [code for code, _ in answers] == [0, 30646, 0, 30646]
    assert answers[1][1] == ["INVALID_CONTACT_ID"]
    assert blocked(account, handset, number.phone_number)
    failed = account.sent(service, elsewhere, status="failed")
    assert failed.error_code == 21610
    events = [(event["source"], event["status"]) for event in history(account, handset)]
    assert events == [
        ("opt-out-message", "opt-out"),
        ("website", "opt-in"),
        ("offline", "opt-out"),
    ]


def test_consents_come_in_25s(account, service, refused):
    items = [consent(us_number(), service.sid, "opt-out") for _ in range(26)]
    create = account.client.accounts.v1.bulk_consents.create
    refused(20001, 400, create, items=items)
    refused(20001, 400, create, items=[])
    assert set(code for code, _ in told(account, *items[:25])) == {0}
    page = account.ours("GET", "OptOuts", params={"SenderId": service.sid})
    assert len(page["opt_outs"]) == 25


def test_the_operator_enters_and_takes_out(account, number, handset):
    made = account.ours(
        "POST", "OptOuts", ContactId=handset, SenderId=number.sid, Source="offline", Note="By letter"
    )
    assert (made["sender_id"], made["status"]) == (number.phone_number, "opt-out")
    assert blocked(account, handset, number.phone_number)
    filters = {"ContactId": handset, "Status": "opt-out"}
    page = account.ours("GET", "OptOuts", params=filters)
    assert page["opt_outs"] == [made]
    account.ours("DELETE", f"OptOuts/{made['sid']}")
    assert not blocked(account, handset, number.phone_number)
    # Nothing is deleted.
    assert account.ours("GET", f"OptOuts/{made['sid']}")["status"] == "opt-in"
    key = account.client.new_keys.create(friendly_name="operator")
    answer = requests.post(
        f"{account.server.url}/x/v1/OptOuts/{made['sid']}",
        data={"Status": "opt-out"},
        auth=(key.sid, key.secret),
    )
    assert answer.status_code == 200, answer.text
    assert [event["actor"] for event in history(account, handset)] == [
        account.account_sid,
        account.account_sid,
        key.sid,
    ]


def test_a_file_goes_in_and_out(account, service, handset):
    others = [us_number() for _ in range(1_200)]
    header = "contact_id,sender_id,status,source,date_of_consent"
    rows = [
        f"{user},{service.sid},opt-out,website,2026-11-24T09:05:00Z" for user in [handset, *others]
    ]
    file = "\r\n".join([header, *rows, "12,nobody,out,,"])
    auth = (account.account_sid, account.auth_token)
    url = f"{account.server.url}/x/v1/OptOuts"

    def imported():
        answer = requests.post(
            f"{url}/Import", data=file, headers={"Content-Type": "text/csv"}, auth=auth
        )
        assert answer.status_code == 202, answer.text
        done = eventually(
            lambda: account.ours("GET", f"OptOuts/Imports/{answer.json()['sid']}"),
            lambda job: job["status"] != "running",
            what="the end of the import",
        )
        assert done["status"] == "completed", json.dumps(done)
        return done

    done = imported()
    counts = [done[name] for name in ("rows_read", "rows_changed", "rows_rejected")]
    assert counts == [1_202, 1_201, 1]
    assert [error["line"] for error in done["errors"]] == [1_203]
    assert account.sent(service, handset, status="failed").error_code == 21610
    assert imported()["rows_changed"] == 0, "doing it again changes nothing"
    exported = requests.get(f"{url}/Export", params={"SenderId": service.sid}, auth=auth)
    assert exported.headers["content-type"].startswith("text/csv")
    lines = exported.text.splitlines()
    assert lines[0] == header
    assert lines[1:] == list(reversed(rows))
