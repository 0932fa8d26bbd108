"""Explanations and dry runs, asked for as a program does beside its SDK, and from a terminal."""

import json
import os
import pathlib
import subprocess

import pytest

from harness.numbers import short_code, uk_number, us_number
from harness.postrider import ROOT
from self_hosted import by_http_client

BINARY = pathlib.Path(os.environ.get("POSTRIDER_BIN", ROOT / "target/release/postrider"))
# Every rule that chooses, and every rule that removes, as docs/sender-selection.md lists them.
ALL_RULES = (ROOT / "docs/sender-selection.md").read_text().split("## All rules")[1].split("##")[0]


@pytest.fixture
def crowd(account):
    """A service with one sender of each kind, by kind."""
    service = account.service()
    senders = {
        "near": account.number("+14155551101"),
        "overlay": account.number("+16285551102"),
        "far": account.number("+12125551103"),
        "toll_free": account.number("+18885551104"),
        "canadian": account.number("+14165551105"),
        "british": account.number(uk_number()),
    }
    for number in senders.values():
        service.phone_numbers.create(phone_number_sid=number.sid)
    senders = {kind: number.phone_number for kind, number in senders.items()}
    for kind, country in [("us_code", "US"), ("uk_code", "GB")]:
        code = account.short_code(short_code(), country)
        service.short_codes.create(short_code_sid=code.sid)
        senders[kind] = code.short_code
    service.alpha_senders.create(alpha_sender="ACME")
    service.destination_alpha_senders.create(alpha_sender="ACME DE", iso_country_code="DE")
    mobile = us_number()
    service.channel_senders.create(sid=account.whatsapp(mobile).sid)
    senders |= {"alpha": "ACME", "german": "ACME DE", "whatsapp": f"whatsapp:{mobile}"}
    yield service, senders
    for number in account.client.incoming_phone_numbers.list():
        number.delete()


# To, more of the message, the rule that removed each loser, the winner and its rule.
LOSERS = [
    (
        "+14155551199", {}, "us_code", "short_code",
        dict(whatsapp="other_channel", uk_code="short_code_of_other_country",
             alpha="alpha_not_supported", german="alpha_not_supported",
             near="short_code_preferred", british="short_code_preferred"),
    ),
    (
        "+4915110001199", {}, "german", "destination_alpha",
        dict(us_code="short_code_of_other_country", alpha="destination_alpha_preferred",
             near="alpha_preferred"),
    ),
    (
        "+33700001199", {}, "alpha", "alpha_sender",
        dict(german="alpha_of_other_country", near="alpha_preferred", british="alpha_preferred"),
    ),
    (
        "+16045551199", {}, "canadian", "country_geomatch",
        dict(near="other_country", toll_free="other_country", british="other_country",
             us_code="short_code_of_other_country"),
    ),
    ("+14155551199", dict(From="far"), "far", "explicit_from", dict(near="not_named", alpha="not_named")),
    (
        "whatsapp:+5511999991199", {}, "whatsapp", "us_fallback",
        dict(near="other_channel", us_code="other_channel", alpha="other_channel"),
    ),
]


def test_every_candidate_has_the_rule_that_decided_it(account, crowd):
    service, senders = crowd
    for to, more, winner, rule, losers in LOSERS:
        more = {name: senders[kind] for name, kind in more.items()}
        question = dict(To=to, MessagingServiceSid=service.sid, **more)
        explained = account.ours("POST", "Explain", **question)
        assert (explained["from"], explained["message_sid"]) == (senders[winner], None)
        candidates = explained["candidates"]
        assert len(candidates) == len(senders)
        chosen, *others = candidates
        assert (chosen["sender"], chosen["outcome"], chosen["rule"]) == (senders[winner], "chosen", rule)
        assert {it["outcome"] for it in others} == {"removed"}
        rules = {it["sender"]: it["rule"] for it in others}
        assert {kind: rules[senders[kind]] for kind in losers} == losers, to
        decision = explained["decision"]
        assert (decision["rule"], decision["steps"][-1]["left"]) == (rule, 1)
        for name in [*rules.values(), *(step["rule"] for step in decision["steps"])]:
            assert f"`{name}`" in ALL_RULES, "the names are documented"
        assert all(it["reason"] for it in candidates)

        # The message itself, afterwards.
        sent = account.sent(service, to, **{"from_": more["From"]} if more else {})
        stored = account.ours("GET", f"Explain/{sent.sid}")
        assert (stored["message_sid"], stored["from"]) == (sent.sid, sent.from_)
        assert stored["candidates"] == candidates
        assert (stored["attempts"], stored["possible_duplicate"]) == (1, False)
        assert stored["decision"]["steps"] == decision["steps"]


def test_a_question_leaves_nothing_behind(account, crowd):
    service, _ = crowd
    to = us_number()
    for path in ("Explain", "DryRun"):
        account.ours("POST", path, To=to, MessagingServiceSid=service.sid, Body="hello")
    assert account.client.messages.list() == []
    assert account.client.monitor.v1.alerts.list() == []
    assert account.sticky_sender(service, to) is None


REFUSED = [
    ("To is no number", dict(To="12"), 21211),
    ("From is not in the pool", dict(From="+14155550000"), 21711),
    ("the service is unknown", dict(MessagingServiceSid="MG" + "0" * 32), 21701),
    ("the network is none", dict(RecipientNetwork="O2"), 20001),
]


@pytest.mark.parametrize("_, changes, code", REFUSED, ids=[row[0] for row in REFUSED])
def test_a_question_is_refused_as_its_message_would_be(account, _, changes, code):
    good = dict(To=us_number(), MessagingServiceSid=account.service(account.number()).sid, Body="x")
    for path in ("Explain", "DryRun"):
        refusal = account.ours("POST", path, status=(400, 404), **good | changes)
        assert refusal["code"] == code
    assert account.ours("GET", "Explain", status=405)["code"] == 20004
    assert account.ours("GET", f"Explain/SM{'0' * 32}", status=404)["code"] == 20404


def test_another_accounts_message_is_not_explained(account, main, server):
    number = account.number()
    sent = account.sent(account.service(number))
    answer = main.request("GET", f"{server.url}/x/v1/Explain/{sent.sid}")
    assert answer.status_code == 404


def test_a_dry_run_comes_to_what_the_message_comes_to(account):
    service = account.service(account.number(), account.number())
    for body in ["hello", "\N{EN DASH}" * 71, "ж" * 71, "€" * 100]:
        to = us_number()
        run = account.ours("POST", "DryRun", To=to, MessagingServiceSid=service.sid, Body=body)
        sent = account.sent(service, to, body=body)
        assert run["would_be"] == "queued"
        assert (run["from"], run["body"]) == (sent.from_, sent.body)
        assert str(run["num_segments"]) == sent.num_segments
        assert run["route"] == [account.ours("GET", f"Explain/{sent.sid}")["carrier"]]


def test_a_dry_run_warns_of_a_sender_that_is_not_registered(account):
    service = account.service()
    service.alpha_senders.create(alpha_sender="ACME")
    message = dict(To="+971500001199", MessagingServiceSid=service.sid, Body="hello")
    (warning,) = account.ours("POST", "DryRun", **message)["warnings"]
    assert warning["code"] == 30018
    account.ours("POST", "RegisteredSenders", Sender="ACME", IsoCountryCode="AE")
    assert account.ours("POST", "DryRun", **message)["warnings"] == []


def test_a_dry_run_tells_of_a_failure(account):
    service = account.service()
    service.alpha_senders.create(alpha_sender="ACME")
    run = account.ours("POST", "DryRun", To=us_number(), MessagingServiceSid=service.sid, Body="x")
    assert (run["would_be"], run["error_code"], run["from"]) == ("failed", 21703, None)
    assert run["decision"]["rule"] is None


def test_sticky_senders_are_listed_shown_and_forgotten(account):
    service = account.service(account.number(), account.number())
    known = {message.to: message.from_ for message in (account.sent(service) for _ in range(5))}
    listed, params = {}, {"MessagingServiceSid": service.sid, "PageSize": 2}
    page = account.ours("GET", "StickySenders", params=params)
    while True:
        assert len(page["sticky_senders"]) <= 2
        listed |= {entry["to"]: entry["from"] for entry in page["sticky_senders"]}
        if page["meta"]["next_page_url"] is None:
            break
        page = account.client.request("GET", page["meta"]["next_page_url"])
        page = json.loads(page.text)
    assert listed == known
    to, sender = next(iter(known.items()))
    path = f"StickySenders/{service.sid}/%2B{to[1:]}"
    shown = account.ours("GET", path)
    assert (shown["to"], shown["from"], shown["messaging_service_sid"]) == (to, sender, service.sid)
    assert account.ours("DELETE", path) is None
    assert account.ours("GET", path, status=404)["code"] == 20404
    assert account.ours("DELETE", path, status=404)["code"] == 20404
    sent = account.sent(service, to)
    decision = account.ours("GET", f"Explain/{sent.sid}")["decision"]
    assert decision["sticky"] == "write", "chosen anew"


def explain(account, *arguments, **environment):
    return subprocess.run(
        [BINARY, "explain", *arguments],
        env=os.environ
        | {
            "POSTRIDER_URL": account.server.url,
            "TWILIO_ACCOUNT_SID": account.account_sid,
            "TWILIO_AUTH_TOKEN": account.auth_token,
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_command_line_explains_what_the_sdk_sent(account, crowd):
    service, _ = crowd
    sent = account.sent(service, "+33700001198")
    told = explain(account, sent.sid)
    assert told.returncode == 0, told.stderr
    first, summary, *lines = told.stdout.splitlines()
    assert first == f"{sent.sid}  ACME → +33700001198"
    stored = account.ours("GET", f"Explain/{sent.sid}")
    assert summary.strip() == stored["decision"]["summary"]
    rows = [columns_of(line) for line in lines]
    for candidate in stored["candidates"]:
        columns = [candidate[name] for name in ("outcome", "sender", "rule", "reason")]
        assert columns in rows
    for step in stored["decision"]["steps"]:
        assert ["step", f"{step['left']} left", step["rule"]] in rows

    told = explain(account, sent.sid, "--json")
    assert (told.returncode, json.loads(told.stdout)) == (0, stored)


def columns_of(line):
    """What two spaces or more divide."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_the_command_line_explains_what_was_not_sent(account, crowd):
    service, senders = crowd
    question = ["--to", "+14155551197", "--service", service.sid]
    for arguments, fields in [
        (question, {}),
        ([*question, "--from", senders["far"]], dict(From=senders["far"])),
        ([*question, "--body", "hello"], dict(Body="hello")),
        ([*question, "--media", "https://example.com/a.png"], dict(MediaUrl="https://example.com/a.png")),
    ]:
        asked = account.ours(
            "POST", "Explain", To="+14155551197", MessagingServiceSid=service.sid, **fields
        )
        told = explain(account, *arguments, "--json")
        assert (told.returncode, json.loads(told.stdout)) == (0, asked), told.stderr
        told = explain(account, *arguments)
        assert told.stdout.startswith(f"would go  {asked['from'] or 'nobody'} → +14155551197\n")
    assert account.client.messages.list() == []


def explain_locally(server, *arguments):
    """On the server's machine, where its configuration tells who may ask."""
    config = server.directory / "postrider.toml"
    return subprocess.run(
        [BINARY, "explain", *arguments, "--config", config, "--url", server.url, "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_on_the_servers_machine_the_command_line_needs_no_token(account, server):
    service = account.service(account.number())
    sent = account.sent(service)
    for arguments in (
        [sent.sid, "--account-sid", account.account_sid],
        ["--to", us_number(), "--service", service.sid],
    ):
        told = explain_locally(server, *arguments)
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["messaging_service_sid"] == service.sid


def test_on_the_servers_machine_nobody_need_say_whose_message_it_is(main, account, server):
    """Each account is asked, the older before the younger, and the closed one answers for nobody."""
    main.api.v2010.accounts(account.account_sid).update(status="closed")
    younger = main.api.v2010.accounts.create(friendly_name="younger")
    client = by_http_client(server.url, younger.sid, younger.auth_token)
    number = client.incoming_phone_numbers.create(phone_number=us_number())
    sent = client.messages.create(to=us_number(), from_=number.phone_number, body="hello")
    told = explain_locally(server, sent.sid)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["message_sid"] == sent.sid


@pytest.mark.parametrize(
    "arguments, environment, says",
    [
        (["SM" + "0" * 32], {}, "20404"),
        (["SM" + "0" * 32], dict(TWILIO_AUTH_TOKEN="0" * 32), "20003"),
        (["SM" + "0" * 32], dict(POSTRIDER_URL="http://127.0.0.1:9"), "no server answers"),
        (["--to", "12", "--service", "MG" + "0" * 32], {}, "("),
    ],
    ids=["unknown", "strange", "nowhere", "refused"],
)
def test_the_command_line_says_what_went_wrong(account, arguments, environment, says):
    told = explain(account, *arguments, **environment)
    assert told.returncode != 0
    assert says in told.stderr and told.stdout == ""
