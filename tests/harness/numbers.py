"""Phone numbers that every numbering-plan library calls valid, each given out once per process."""

import itertools

_next = itertools.count(1)


def us_number() -> str:
    """A long code of San Francisco."""
    return f"+1415555{next(_next):04d}"


def uk_number() -> str:
    """A British mobile number."""
    return f"+447700{next(_next):06d}"


def short_code() -> str:
    return str(50000 + next(_next))
