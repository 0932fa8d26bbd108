"""A program that knows nothing of Postrider reaches it under `postrider run`. api.md 10, way A."""

import os
import pathlib
import subprocess
import sys

import pytest

from harness.postrider import ROOT

BINARY = pathlib.Path(os.environ.get("POSTRIDER_BIN", ROOT / "target/release/postrider"))

# What a customer's program looks like before it has heard of us.
PROGRAM = """
import os
import time

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
number = client.incoming_phone_numbers.create(phone_number="+14155550101")
service = client.messaging.v1.services.create(friendly_name="unmodified")
service.phone_numbers.create(phone_number_sid=number.sid)
for _ in range(4):
    sent = client.messages.create(
        messaging_service_sid=service.sid, to="+14155550199", body="Hello"
    )
assert sent.status == "accepted", sent.status
pages = [message.sid for message in client.messages.stream(page_size=2)]
assert len(pages) == 4, pages
for _ in range(600):
    if client.messages(sent.sid).fetch().status == "delivered":
        break
    time.sleep(0.05)
message = client.messages(sent.sid).fetch()
assert service.url.startswith("https://messaging."), service.url
try:
    client.messages("SM" + "0" * 32).fetch()
except TwilioRestException as error:
    print(message.status, message.from_, error.code)
"""


def run(program, **environment):
    return subprocess.run(
        [BINARY, "run", "--", sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [{}, {"TWILIO_EDGE": "dublin", "TWILIO_REGION": "ie1"}],
    ids=["plain", "edge-and-region"],
)
def test_a_program_as_it_is_reaches_the_throw_away_server(environment):
    done = run(PROGRAM, **environment)
    assert done.stdout == "delivered +14155550101 20404\n", done.stdout + done.stderr
    assert done.returncode == 0


def test_what_is_not_twilio_is_not_reached_through_it():
    done = run(
        "import requests\n"
        "try:\n"
        "    requests.get('https://example.com/', timeout=5)\n"
        "except requests.exceptions.ProxyError as error:\n"
        "    print('refused' if '403' in str(error) else error)\n"
    )
    assert done.stdout == "refused\n", done.stdout + done.stderr


def test_the_commands_own_exit_code_is_passed_on():
    assert run("raise SystemExit(7)").returncode == 7
