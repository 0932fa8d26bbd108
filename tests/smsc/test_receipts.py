"""Receipts as SMSCs send them, and what message and callbacks show for them.

carriers.md 2.3 and 2.8, sending.md 1.
"""

import re

import pytest


DIALECTS = [
    "standard",
    "with_tlvs",
    "tlvs_only",
    "in_payload",
    "long_dates",
    "with_seconds",
    "reordered",
    "spaced",
    "upper_case",
    "ucs2",
    "no_esm_class",
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_read(smsc, send, settled, recipient, dialect):
    smsc.rule(to=recipient, receipts=[{"dialect": dialect}])
    assert settled(send("hello"))["status"] == "delivered"


# How the response writes the id and how the receipt writes it.
ID_FORMS = [
    ("hex", "hex"),
    ("hex", "HEX"),
    ("HEX", "hex"),
    ("hex", "padded"),
    ("padded", "hex"),
    ("hex", "decimal"),
    ("decimal", "hex"),
    ("decimal", "decimal"),
]


@pytest.mark.parametrize("response, receipt", ID_FORMS)
def test_an_id_is_recognized_in_another_form(smsc, send, settled, recipient, response, receipt):
    smsc.rule(to=recipient, id_form=response, receipts=[{"id_form": receipt}])
    assert settled(send("hello"))["status"] == "delivered"


# state, err, the message's status and its error code
STATES = [
    ("DELIVRD", "000", "delivered", None),
    ("UNDELIV", "001", "undelivered", 30005),
    ("UNDELIV", "006", "undelivered", 30003),
    ("UNDELIV", "013", "undelivered", 30004),
    ("UNDELIV", "000", "undelivered", 30008),
    ("EXPIRED", "000", "undelivered", 30003),
    ("DELETED", "000", "undelivered", 30008),
    ("REJECTD", "000", "undelivered", 30007),
    ("UNKNOWN", "000", "undelivered", 30008),
]


@pytest.mark.parametrize("state, err, status, code", STATES)
def test_a_final_state_becomes_a_status(smsc, send, settled, recipient, state, err, status, code):
    smsc.rule(to=recipient, receipts=[{"state": state, "err": err}])
    message = settled(send("hello"))
    assert (message["status"], message["error_code"]) == (status, code)


@pytest.mark.parametrize("state", ["ENROUTE", "ACCEPTD"])
def test_an_intermediate_state_changes_nothing(smsc, send, settled, receiver, recipient, state):
    url = receiver.url()
    receipts = [{"state": state}, {"state": "DELIVRD", "after_ms": 100}]
    smsc.rule(to=recipient, receipts=receipts)
    assert settled(send("hello", StatusCallback=url))["status"] == "delivered"
    receiver.wait_for(url, "delivered")
    assert receiver.statuses(url) == ["sent", "delivered"]


@pytest.mark.parametrize("body, segments", [("hello", 1), ("a" * 400, 3)])
def test_a_receipt_may_come_before_the_response(smsc, send, settled, recipient, body, segments):
    smsc.rule(to=recipient, receipts=[{"early": True}])
    assert settled(send(body))["status"] == "delivered"
    assert len(smsc.segments(recipient)) == segments


def test_a_receipt_may_come_late(smsc, send, settled, receiver, recipient):
    url = receiver.url()
    smsc.rule(to=recipient, receipts=[{"after_ms": 1500}])
    message = send("hello", StatusCallback=url)
    receiver.wait_for(url, "sent")
    assert receiver.statuses(url) == ["sent"]
    assert settled(message)["status"] == "delivered"


def test_a_duplicate_receipt_calls_back_once(smsc, send, settled, receiver, recipient):
    url, marker = receiver.url(), receiver.url()
    smsc.rule(to=recipient, receipts=[{}, {}, {"early": True}, {"after_ms": 50}])
    message = send("hello", StatusCallback=url)
    assert settled(message)["status"] == "delivered"
    # The last duplicate has passed once a later message to the same handset is through.
    smsc.rule(to=recipient, receipts=[{"after_ms": 200}])
    send("later", StatusCallback=marker)
    receiver.wait_for(marker, "delivered")
    assert receiver.statuses(url).count("delivered") == 1


@pytest.mark.parametrize("first, second", [("DELIVRD", "UNDELIV"), ("UNDELIV", "DELIVRD")])
def test_the_first_final_receipt_stands(smsc, send, settled, receiver, api, recipient, first, second):
    marker = receiver.url()
    smsc.rule(to=recipient, receipts=[{"state": first}, {"state": second, "after_ms": 50}])
    message = settled(send("hello"))
    smsc.rule(to=recipient, receipts=[{"after_ms": 200}])
    send("later", StatusCallback=marker)
    receiver.wait_for(marker, "delivered")
    expected = {"DELIVRD": "delivered", "UNDELIV": "undelivered"}[first]
    assert message["status"] == expected
    assert api.get(f"Messages/{message['sid']}")["status"] == expected


def test_a_message_is_delivered_when_all_its_segments_are(smsc, send, settled, receiver, recipient):
    url = receiver.url()
    smsc.rule(to=recipient, segment=2, receipts=[{"after_ms": 1000}])
    message = send("a" * 400, StatusCallback=url)
    receiver.wait_for(url, "sent")
    assert receiver.statuses(url) == ["sent"]
    assert settled(message)["status"] == "delivered"
    receiver.wait_for(url, "delivered")
    assert receiver.statuses(url) == ["sent", "delivered"], "one event per status, not per segment"


def test_one_undelivered_segment_makes_the_message_undelivered(smsc, send, settled, recipient):
    smsc.rule(to=recipient, segment=2, receipts=[{"state": "UNDELIV", "err": "001"}])
    smsc.rule(to=recipient, segment=3, receipts=[])
    message = settled(send("a" * 400))
    assert (message["status"], message["error_code"]) == ("undelivered", 30005)


def test_the_carriers_done_date_is_passed_on(smsc, send, receiver, recipient):
    url = receiver.url()
    send("hello", StatusCallback=url)
    last = receiver.wait_for(url, "delivered")[-1]
    assert re.fullmatch(r"\d{10}", last.fields["RawDlrDoneDate"])


# command_status of a final refusal and the code it becomes
REFUSALS = [
    (0x0B, 30005),  # ESME_RINVDSTADR
    (0x66, 30007),  # ESME_RX_R_APPN
    (0x65, 30008),  # ESME_RX_P_APPN
    (0xFE, 30008),  # ESME_RDELIVERYFAILURE
]


@pytest.mark.parametrize("command_status, code", REFUSALS)
def test_a_refused_submit_fails_the_message(smsc, send, settled, recipient, command_status, code):
    smsc.rule(to=recipient, status=command_status)
    message = settled(send("hello"))
    assert (message["status"], message["error_code"]) == ("undelivered", code)
    assert len(smsc.segments(recipient)) == 1, "what is refused for good is not tried again"


@pytest.mark.parametrize("command_status", [0x58, 0x14], ids=["throttled", "queue full"])
def test_a_throttled_submit_is_sent_again(smsc, send, settled, recipient, command_status):
    smsc.rule(to=recipient, status=command_status, times=1)
    assert settled(send("hello"))["status"] == "delivered"
    assert [segment.status for segment in smsc.segments(recipient)] == [command_status, 0]
