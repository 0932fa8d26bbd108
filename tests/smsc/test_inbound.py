"""What handsets send over real SMPP becomes a message, once, however it is cut and whatever dies."""

import itertools
import random

import gsm0338
import pytest
from twilio.twiml.messaging_response import MessagingResponse

from decoding import GSM7, UCS2, UDH_INDICATOR, reassemble
from harness.api import Api
from harness.numbers import uk_number, us_number
from harness.postrider import Postrider
from harness.waiting import eventually
from smsc_peer import Smsc, Text

IDS = (f"text{number}" for number in itertools.count())
REFERENCES = itertools.count(1)
EMOJI = "\N{GRINNING FACE}"


def octets_of(text, data_coding):
    if data_coding == UCS2:
        return text.encode("utf-16-be")
    return gsm0338.Codec().encode(text)[0]


def cut(octets, size):
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def segments(to, pieces, data_coding, reference=None, **of):
    """The deliver_sm of one text, whose octets are in these pieces."""
    if len(pieces) == 1:
        return [Text(next(IDS), to, pieces[0].hex(), data_coding, **of)]
    reference = next(REFERENCES) % 256 if reference is None else reference
    return [
        Text(
            next(IDS),
            to,
            (bytes([5, 0, 3, reference, len(pieces), number]) + piece).hex(),
            data_coding,
            UDH_INDICATOR,
            **of,
        )
        for number, piece in enumerate(pieces, 1)
    ]


def received(api, to):
    """Texts to a number, oldest first."""
    messages = api.get("Messages", To=to, PageSize=1000)["messages"]
    assert {message["direction"] for message in messages} <= {"inbound"}
    return [(message["body"], message["num_segments"]) for message in reversed(messages)]


# text, its alphabet, octets in a segment, the order in which segments come
TEXTS = {
    "one of GSM-7": ("Yes, 10 € please", GSM7, 160, [0]),
    "one of UCS-2": ("да, 你好 " + EMOJI, UCS2, 140, [0]),
    "two in order": ("a" * 153 + "b" * 20, GSM7, 153, [0, 1]),
    "five in disorder": ("".join(map(str, range(10))) * 70, GSM7, 153, [4, 1, 0, 3, 2]),
    "five of UCS-2 in disorder": ("абвгдежзий" * 30, UCS2, 134, [2, 4, 0, 3, 1]),
    "some twice": ("абвгдежзий" * 12, UCS2, 134, [1, 1, 0, 0]),
    "an emoji cut in two": ("ж" * 66 + EMOJI + "ж", UCS2, 134, [1, 0]),
}


@pytest.mark.parametrize("text, data_coding, size, order", TEXTS.values(), ids=TEXTS)
def test_a_text_is_one_message(smsc, api, sender, text, data_coding, size, order):
    pieces = cut(octets_of(text, data_coding), size)
    parts = segments(sender, pieces, data_coding)
    sent = [parts[at] for at in order]
    smsc.text(*sent)
    eventually(
        lambda: smsc.acknowledged(), lambda taken: {part.id for part in sent} <= taken, what="answers"
    )
    # What came twice may be answered when it is stored, a moment before the message is made of it.
    eventually(lambda: received(api, sender), what="the message")
    assert received(api, sender) == [(text, str(len(pieces)))]


# text, its alphabet, octets in a segment as the handset cuts it
ECHOES = {
    "one segment of GSM-7": ("Hi {there} €", GSM7, 160),
    "five of GSM-7": ("abcdefghi" * 80, GSM7, 153),
    "one of UCS-2": ("да, 你好 " + EMOJI, UCS2, 140),
    "five of UCS-2": ("абвгдежзий" * 30 + EMOJI, UCS2, 134),
}


@pytest.mark.parametrize("text, data_coding, size", ECHOES.values(), ids=ECHOES)
def test_a_reply_goes_all_the_way_back(
    smsc, api, receiver, sender, recipient, text, data_coding, size
):
    """Handset, webhook, TwiML, handset: both ways over SMPP, and the handset reads what it wrote."""
    url = receiver.url()
    [number] = api.get("IncomingPhoneNumbers", PhoneNumber=sender)["incoming_phone_numbers"]
    api.post(f"IncomingPhoneNumbers/{number['sid']}", SmsUrl=url)
    response = MessagingResponse()
    response.message(text)
    receiver.say(url, response)
    pieces = cut(octets_of(text, data_coding), size)
    parts = segments(sender, pieces, data_coding, sender=recipient[1:])
    smsc.text(*reversed(parts))
    assert reassemble(smsc.wait_for(recipient, len(pieces))) == text
    [webhook] = receiver.requests(url)
    assert webhook.fields["Body"] == text
    assert webhook.fields["NumSegments"] == str(len(pieces))
    [inbound] = api.get("Messages", To=sender)["messages"]
    [reply] = api.get("Messages", To=recipient)["messages"]
    assert (inbound["direction"], reply["direction"]) == ("inbound", "outbound-reply")
    assert reply["num_segments"] == str(len(pieces))


def test_a_handset_may_use_its_number_again(smsc, api, sender):
    for text in ("first " * 40, "other " * 40):
        parts = segments(sender, cut(octets_of(text, GSM7), 153), GSM7, reference=7)
        smsc.text(*parts)
        eventually(lambda: smsc.acknowledged() >= {part.id for part in parts}, what="answers")
    assert [body for body, _ in received(api, sender)] == ["first " * 40, "other " * 40]


def test_what_was_answered_is_stored_once_and_told_through_kills(tmp_path, receiver):
    """And replied to once, although the process died at any moment of all that."""
    smsc = Smsc(tmp_path)
    server = Postrider(tmp_path, "[pace]\nlong_code = 0\n" + smsc.carrier(sessions=2)).start()
    api = Api(server)
    try:
        number, url = uk_number(), receiver.url()
        api.post("IncomingPhoneNumbers", PhoneNumber=number, SmsUrl=url)
        receiver.say(url, "Taken", content_type="text/plain")
        chance = random.Random(7)
        texts = [f"{at:03} " + "abcdefghij" * 40 for at in range(200)]
        sent = set()
        for batch in cut(texts, 40):
            parts = [
                part
                for text in batch
                for part in segments(
                    number, cut(octets_of(text, GSM7), 153), GSM7, sender=us_number()[1:]
                )
            ]
            chance.shuffle(parts)
            sent |= {part.id for part in parts}
            before = len(smsc.acknowledged())
            smsc.text(*parts)
            some = before + chance.randrange(1, len(parts))
            eventually(lambda: len(smsc.acknowledged()) >= some, what="some answers")
            server.kill()
            server.start()
        eventually(lambda: smsc.acknowledged() >= sent, seconds=60, what="all answers")
        # Its connection was to the process before.
        api.close()
        bodies = lambda: sorted(body for body, _ in received(api, number))
        eventually(bodies, lambda bodies: len(bodies) >= len(texts), what="every message")
        assert bodies() == texts
        told = lambda: {webhook.fields["Body"] for webhook in receiver.requests(url)}
        eventually(told, lambda bodies: bodies == set(texts), what="every text told")
        replies = lambda: api.get("Messages", From=number, PageSize=1000)["messages"]
        settled = lambda messages: all(message["status"] == "delivered" for message in messages)
        done = lambda messages: len(messages) >= len(texts) and settled(messages)
        replies = eventually(replies, done, seconds=60, what="all replies delivered")
        assert len(replies) == len({message["to"] for message in replies}) == len(texts)
    finally:
        api.close()
        server.stop()
        smsc.close()
