"""Waiting for something to become true: polled, with a deadline, and with its last value on failure."""

import datetime
import time


class DeadlinePassed(AssertionError):
    """What was waited for did not come; the message holds what was seen last."""


def eventually(look, until=bool, *, seconds=15.0, what="the condition"):
    """Calls `look()` until `until(value)` holds and returns that value."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        if until(value):
            return value
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"{what}: not within {seconds:g} s; seen last: {value!r}")
        time.sleep(0.01)


def in_an_hour():
    """A time for `send_at`."""
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
