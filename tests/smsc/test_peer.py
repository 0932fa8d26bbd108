"""The peer itself against a third SMPP implementation, the client of `smpplib`: what it records is
what was sent, and its receipts are proper. Needs no Postrider."""

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

from decoding import reassemble
from harness.waiting import eventually
from smsc_peer import Smsc


@pytest.fixture
def smsc(tmp_path):
    """A peer of its own: nobody else is bound to it."""
    peer = Smsc(tmp_path)
    yield peer
    peer.close()


def bound_client(smsc, password=None):
    client = smpplib.client.Client(
        "127.0.0.1", smsc.port, timeout=5, allow_unknown_opt_params=True
    )
    client.connect()
    client.bind_transceiver(system_id="tester", password=password or smsc.password)
    return client


def submit(client, to, text):
    """Submits all segments and returns the ids given to them, reading until each is answered."""
    parts, coding, esm_class = smpplib.gsm.make_parts(text)
    ids, receipts = [], []
    client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode()))
    client.set_message_received_handler(lambda pdu: receipts.append(pdu) or 0)
    for part in parts:
        client.send_message(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="447700000001",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=to,
            short_message=part,
            data_coding=coding,
            esm_class=esm_class,
            registered_delivery=True,
        )
    for _ in range(2 * len(parts)):
        client.read_once()
    return ids, receipts


def test_text_and_segments_are_recorded_as_sent(smsc):
    table = [
        ("447700100001", "hello {euro} €"),
        ("447700100002", "abcdefghij" * 20),
        ("447700100003", "жук " * 40 + "\N{GRINNING FACE}"),
    ]
    client = bound_client(smsc)
    for to, text in table:
        ids, receipts = submit(client, to, text)
        assert reassemble(smsc.segments("+" + to)) == text
        assert len(ids) == len(receipts) == len(smsc.segments("+" + to))
        for message_id, receipt in zip(ids, receipts):
            assert f"id:{message_id} ".encode() in receipt.short_message
            assert b"stat:DELIVRD" in receipt.short_message
            assert (receipt.source_addr, receipt.esm_class) == (to.encode(), 4)
    client.unbind()
    client.disconnect()


DIALECTS = {
    "standard": lambda pdu: pdu.short_message,
    "with_tlvs": lambda pdu: pdu.short_message,
    "tlvs_only": lambda pdu: b"id:" + pdu.receipted_message_id + b" " + pdu.short_message,
    "in_payload": lambda pdu: pdu.message_payload,
    "long_dates": lambda pdu: pdu.short_message,
    "with_seconds": lambda pdu: pdu.short_message,
    "reordered": lambda pdu: pdu.short_message,
    "spaced": lambda pdu: pdu.short_message.replace(b"id: ", b"id:"),
    "upper_case": lambda pdu: pdu.short_message.lower(),
    "ucs2": lambda pdu: pdu.short_message.decode("utf-16-be").encode(),
    "no_esm_class": lambda pdu: pdu.short_message,
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_carries_the_id(smsc, dialect):
    to = "447700100005"
    smsc.rule(to=to, receipts=[{"dialect": dialect, "state": "UNDELIV", "err": "001"}])
    client = bound_client(smsc)
    (message_id,), (receipt,) = submit(client, to, "hello")
    assert f"id:{message_id} " in DIALECTS[dialect](receipt).decode()
    assert receipt.esm_class == (0 if dialect == "no_esm_class" else 4)
    assert receipt.message_state in ((5,) if "tlvs" in dialect else (None,))
    client.unbind()
    client.disconnect()


def test_a_receipt_that_nobody_acknowledged_comes_again(smsc):
    to = "447700100004"
    smsc.rule(to=to, receipts=[{"after_ms": 200}])
    client = bound_client(smsc)
    client.send_message(
        source_addr="447700000001",
        destination_addr=to,
        short_message=b"hello",
        registered_delivery=True,
    )
    client.read_once()
    client._socket.close()
    client.state = smpplib.consts.SMPP_CLIENT_STATE_CLOSED

    again = bound_client(smsc)
    receipts = []
    again.set_message_received_handler(lambda pdu: receipts.append(pdu) or 0)
    again.read_once()
    assert receipts[0].source_addr == to.encode()
    eventually(lambda: [e for e in smsc.events() if e["event"] == "receipt_acknowledged"])
    again.unbind()
    again.disconnect()


def test_a_wrong_password_does_not_bind(smsc):
    with pytest.raises(smpplib.exceptions.PDUError):
        bound_client(smsc, password="wrong")
    assert [event["accepted"] for event in smsc.events() if event["event"] == "bind"] == [False]
