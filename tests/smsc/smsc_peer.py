"""The SMSC peer as tests hold it: started, told how to behave, asked what it saw."""

import dataclasses
import json
import os
import pathlib
import subprocess

import requests

from harness.postrider import ROOT
from harness.waiting import eventually

PEER = pathlib.Path(__file__).resolve().parent / "peer"
# Where `cargo xtask check` puts the peer's packages.
PACKAGES = ROOT / "target/outside/node/tests-smsc-peer/node_modules"
START_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Segment:
    """One submit_sm as the peer received it, nothing decoded."""

    at: float
    session: int
    sender: str
    sender_ton: int
    sender_npi: int
    to: str
    to_ton: int
    to_npi: int
    esm_class: int
    data_coding: int
    registered_delivery: int
    octets: bytes
    reference: int
    total: int
    number: int
    status: int | None


@dataclasses.dataclass(frozen=True)
class Text:
    """A deliver_sm from a handset; `octets` in hex, a header before them if `esm_class` says so."""

    id: str
    to: str
    octets: str
    data_coding: int
    esm_class: int = 0
    sender: str = "14155550199"


class Smsc:
    """One peer process with ports of its own; it ends with us."""

    password = "secret"

    def __init__(self, directory: pathlib.Path):
        self._record = pathlib.Path(directory) / "smsc.jsonl"
        self._record.touch()
        self._process = subprocess.Popen(
            ["node", PEER / "smsc.js", "--record", self._record, "--password", self.password],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"NODE_PATH": str(PACKAGES)} | os.environ,
            text=True,
        )
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the SMSC peer did not start; are its npm packages installed?")
        ports = json.loads(line)
        self.port = ports["smpp"]
        self._control = f"http://127.0.0.1:{ports['control']}"

    def carrier(self, **settings) -> str:
        """The `[[carriers]]` section that connects a Postrider to this peer."""
        settings = {
            "name": "peer",
            "kind": "smpp",
            "host": "127.0.0.1",
            "port": self.port,
            "system_id": "postrider",
            "password": self.password,
            "bind": "transceiver",
        } | settings
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        return "[[carriers]]\n" + "\n".join(lines) + "\n"

    def rule(self, **rule):
        """Adds a rule; see the head of peer/smsc.js. `to` may be written with its plus sign."""
        if "to" in rule:
            rule["to"] = rule["to"].removeprefix("+")
        requests.post(f"{self._control}/rules", json=rule, timeout=5).raise_for_status()

    def text(self, *texts: "Text"):
        """Texts from handsets, to be delivered in this order until each is acknowledged."""
        fields = [dataclasses.asdict(text) | {"system_id": "postrider"} for text in texts]
        texts = [field | {"from": field.pop("sender"), "to": field["to"].removeprefix("+")} for field in fields]
        requests.post(f"{self._control}/texts", json=texts, timeout=5).raise_for_status()

    def acknowledged(self) -> set[str]:
        """Ids of the texts that were taken."""
        events = self.events()
        taken = [it for it in events if it["event"] == "text_acknowledged" and it["status"] == 0]
        return {event["id"] for event in taken}

    def events(self) -> list[dict]:
        """Everything seen so far. The line being written just now is left for the next look."""
        text = self._record.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def segments(self, to: str | None = None) -> list[Segment]:
        """Submitted segments in order of arrival, of all recipients or of one."""
        return [
            Segment(
                at=event["at"],
                session=event["session"],
                sender=event["from"],
                sender_ton=event["from_ton"],
                sender_npi=event["from_npi"],
                to="+" + event["to"],
                to_ton=event["to_ton"],
                to_npi=event["to_npi"],
                esm_class=event["esm_class"],
                data_coding=event["data_coding"],
                registered_delivery=event["registered_delivery"],
                octets=bytes.fromhex(event["octets"]),
                reference=event["reference"],
                total=event["total"],
                number=event["segment"],
                status=event["status"],
            )
            for event in self.events()
            if event["event"] == "submit" and to in (None, "+" + event["to"])
        ]

    def wait_for(self, to: str, count: int, **waiting) -> list[Segment]:
        return eventually(
            lambda: self.segments(to),
            lambda segments: len(segments) >= count,
            what=f"{count} segments for {to}",
            **waiting,
        )

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
