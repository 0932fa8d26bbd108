"""Text out of segments, by implementations that are not ours: the `gsm0338` package and Python's
own UTF-16 codec. Knows SMPP's ways of marking segments: a header in the text, or TLVs."""

import dataclasses

import gsm0338

from smsc_peer import Segment

UDH_INDICATOR = 0x40
GSM7, UCS2 = 0x00, 0x08
ESCAPE = 0x1B
OCTETS_MAX = 140

_gsm = gsm0338.Codec()


@dataclasses.dataclass(frozen=True)
class Part:
    """A segment's place and its text, still as octets: one septet or half a UTF-16 unit each."""

    reference: int
    total: int
    number: int
    header: bytes
    text: bytes
    data_coding: int

    @property
    def octets_on_air(self) -> int:
        """What the segment takes of the 140 octets on the radio interface."""
        if self.data_coding == UCS2:
            return len(self.header) + len(self.text)
        header_septets = (len(self.header) * 8 + 6) // 7
        return ((header_septets + len(self.text)) * 7 + 7) // 8


def part_of(segment: Segment) -> Part:
    header = b""
    if segment.esm_class & UDH_INDICATOR:
        header = segment.octets[: segment.octets[0] + 1]
    text = segment.octets[len(header) :]
    return Part(
        segment.reference, segment.total, segment.number, header, text, segment.data_coding
    )


def decode(text: bytes, data_coding: int) -> str:
    if data_coding == UCS2:
        return text.decode("utf-16-be")
    if data_coding == GSM7:
        return _gsm.decode(text)[0]
    raise ValueError(f"data_coding {data_coding:#04x}")


def reassemble(segments: list[Segment]) -> str:
    """The text of one message from all of its segments, which must fit together exactly.

    Each segment is decoded by itself: a handset shows what it can of an incomplete message, so
    none may end in half a character.
    """
    parts = sorted((part_of(segment) for segment in segments), key=lambda part: part.number)
    total = len(parts)
    assert [part.number for part in parts] == list(range(1, total + 1)), parts
    assert {part.total for part in parts} == {total}, parts
    assert len({part.reference for part in parts}) == 1, parts
    assert len({part.data_coding for part in parts}) == 1, parts
    for part in parts:
        assert part.octets_on_air <= OCTETS_MAX, part
        assert part.data_coding == UCS2 or not part.text.endswith(bytes([ESCAPE])), part
    return "".join(decode(part.text, part.data_coding) for part in parts)
