"""What the SMSC receives is what was sent, octet for octet, at every boundary of segments.

content-and-inbound.md 1, carriers.md 2.4 to 2.7. The texts are decoded by implementations that are
not ours (decoding.py).
"""

import pytest

from decoding import GSM7, UCS2, part_of, reassemble
from harness.numbers import uk_number

EURO = "€"  # extension: two septets
EMOJI = "\N{GRINNING FACE}"  # two UTF-16 units
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"  # one grapheme, 11 units
ZHE = "ж"

EVERY_GSM_CHARACTER = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EVERY_EXTENSION = "\f^{}\\[~]|€"

# text, its coding, and the length of each segment in septets or UTF-16 units
TEXTS = {
    "a word": ("hello", GSM7, [5]),
    "one character": ("a", GSM7, [1]),
    "the whole GSM alphabet": (EVERY_GSM_CHARACTER, GSM7, [127]),
    "every extension character": (EVERY_EXTENSION, GSM7, [20]),
    "160 septets": ("a" * 160, GSM7, [160]),
    "161 septets": ("a" * 161, GSM7, [153, 8]),
    "an extension ends the single segment": ("a" * 158 + EURO, GSM7, [160]),
    "an extension makes it two": ("a" * 159 + EURO, GSM7, [153, 8]),
    "80 extensions": (EURO * 80, GSM7, [160]),
    "81 extensions": (EURO * 81, GSM7, [152, 10]),
    "an extension is not split": ("a" * 152 + EURO + "a" * 152, GSM7, [152, 153, 1]),
    "306 septets": ("a" * 306, GSM7, [153, 153]),
    "307 septets": ("a" * 307, GSM7, [153, 153, 1]),
    "three full segments": ("abcdefghi" * 51, GSM7, [153] * 3),
    "four full segments": ("abcdefghi" * 68, GSM7, [153] * 4),
    "five full segments": ("abcdefghi" * 85, GSM7, [153] * 5),
    "carriage return and line feed": ("a" * 158 + "\r\n", GSM7, [160]),
    "70 Cyrillic letters": (ZHE * 70, UCS2, [70]),
    "71 Cyrillic letters": (ZHE * 71, UCS2, [67, 4]),
    "134 Cyrillic letters": (ZHE * 134, UCS2, [67, 67]),
    "135 Cyrillic letters": (ZHE * 135, UCS2, [67, 67, 1]),
    "one letter turns all to UCS-2": ("a" * 70 + ZHE, UCS2, [67, 4]),
    "an accent that GSM lacks": ("ç", UCS2, [1]),
    "35 emoji": (EMOJI * 35, UCS2, [70]),
    "36 emoji": (EMOJI * 36, UCS2, [66, 6]),
    "an emoji is not split": (ZHE * 66 + EMOJI + ZHE * 66, UCS2, [66, 67, 1]),
    "a family moves whole": (ZHE * 60 + FAMILY + ZHE * 5, UCS2, [60, 16]),
    "five segments of Cyrillic": ("абвгдежзий" * 33 + "клмно", UCS2, [67] * 5),
    "Arabic, Chinese, emoji": ("مرحبا 你好 " + EMOJI, UCS2, [11]),
}


@pytest.mark.parametrize("text, coding, lengths", TEXTS.values(), ids=TEXTS)
def test_the_peer_receives_the_text(smsc, send, settled, recipient, text, coding, lengths):
    message = send(text, SmartEncoded="false")
    segments = smsc.wait_for(recipient, len(lengths))
    assert reassemble(segments) == text
    parts = sorted((part_of(segment) for segment in segments), key=lambda part: part.number)
    unit = 2 if coding == UCS2 else 1
    assert [len(part.text) // unit for part in parts] == lengths
    assert {part.data_coding for part in parts} == {coding}
    message = settled(message)
    assert message["status"] == "delivered"
    assert message["num_segments"] == str(len(lengths))
    assert message["body"] == text
    assert len(smsc.segments(recipient)) == len(lengths), "each segment once"


def test_segments_of_one_message_share_one_link_and_come_in_order(smsc, send, recipient):
    send("abcdefghi" * 85)
    segments = smsc.wait_for(recipient, 5)
    assert [segment.number for segment in segments] == [1, 2, 3, 4, 5]
    assert len({segment.session for segment in segments}) == 1


def test_two_long_messages_to_one_handset_have_different_references(smsc, send, recipient):
    first, second = "first " * 40, "other " * 40
    for text in (first, second):
        send(text)
    segments = smsc.wait_for(recipient, 4)
    by_reference = {}
    for segment in segments:
        by_reference.setdefault(segment.reference, []).append(segment)
    assert {reassemble(group) for group in by_reference.values()} == {first, second}


def test_every_segment_asks_for_a_receipt(smsc, send, recipient):
    send("a" * 161)
    segments = smsc.wait_for(recipient, 2)
    assert {segment.registered_delivery & 0x03 for segment in segments} == {1}


def test_addresses_of_a_long_code_are_international(smsc, send, recipient, sender):
    send("hello")
    (segment,) = smsc.wait_for(recipient, 1)
    assert (segment.sender, segment.sender_ton, segment.sender_npi) == (sender[1:], 1, 1)
    assert (segment.to, segment.to_ton, segment.to_npi) == (recipient, 1, 1)


def test_an_alpha_sender_travels_as_its_name(smsc, api):
    recipient = uk_number()
    service = api.post("/messaging/v1/Services", FriendlyName="alpha")
    api.post(f"/messaging/v1/Services/{service['sid']}/AlphaSenders", AlphaSender="ACME Shop")
    api.post("Messages", To=recipient, MessagingServiceSid=service["sid"], Body="hello")
    (segment,) = smsc.wait_for(recipient, 1)
    assert (segment.sender, segment.sender_ton, segment.sender_npi) == ("ACME Shop", 5, 0)


def test_a_short_code_travels_as_its_digits(smsc, server, api, recipient):
    code = server.extension("ShortCodes", ShortCode="55501", IsoCountry="US", FriendlyName="votes")
    service = api.post("/messaging/v1/Services", FriendlyName="code")
    path = f"/messaging/v1/Services/{service['sid']}/ShortCodes"
    api.post(path, ShortCodeSid=code["sid"])
    api.post("Messages", To=recipient, MessagingServiceSid=service["sid"], Body="hello")
    (segment,) = smsc.wait_for(recipient, 1)
    assert (segment.sender, segment.sender_ton, segment.sender_npi) == ("55501", 3, 0)


def test_smart_encoding_keeps_a_message_in_gsm(smsc, send, recipient):
    send("“Don’t” – he said…", SmartEncoded="true")
    (segment,) = smsc.wait_for(recipient, 1)
    assert segment.data_coding == GSM7
    assert reassemble([segment]) == "\"Don't\" - he said..."
