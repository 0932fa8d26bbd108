"""kill -9 under load, again and again: nothing acknowledged is lost, and duplicates are explained.

    python tests/smsc/crash.py [--seed N] [--kills 20] [--rate 300] [--policy resend|fail]

Senders of several kinds of request run against a Postrider that is connected to the SMSC peer. At
seeded random instants the process is killed and started again on the same data and port. When
everything has settled, the books of four parties are compared: the 201s that the clients hold, the
API, the SMSC, and the receiver of status callbacks. Half of the requests carry an Idempotency-Key;
those are repeated until they are answered, and each must have made one message, however often a
kill came between its commit and its answer. One run is made for each `unknown_outcome`:

  resend  every 201 ends delivered and was seen at the SMSC; a duplicate there is allowed only for
          a segment whose first sighting was cut short by a kill
  fail    no duplicate at all; a message in doubt at a kill may end undelivered with 30008 instead

Needs POSTRIDER_BIN (or target/release/postrider) and the peer's packages in NODE_PATH.
"""

import argparse
import collections
import dataclasses
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from decoding import decode, part_of
from harness.api import Api, Refused
from harness.numbers import uk_number
from harness.postrider import Postrider
from harness.waiting import DeadlinePassed, eventually
from harness.webhooks import Receiver
from smsc_peer import Smsc

POLICIES = ("resend", "fail")
CLIENTS = 6
SENDERS = 6
UPTIME_SECONDS = (0.3, 2.0)
# Longer than the wait for a late answer (60 s) and a response timer (30 s), one after the other.
SETTLE_SECONDS = 240
FINAL = {"delivered", "undelivered", "failed"}
UNKNOWN_FAILURE = 30008
# A segment is in doubt when its link died this soon after it arrived: the answer, its commit, or
# both may not have happened. Group commits take milliseconds; two loaded cores take longer.
DOUBT_SECONDS = 0.5

CONFIG = """
[pace]
long_code = 0

"""


@dataclasses.dataclass(frozen=True)
class Accepted:
    """A message for which a client holds a 201."""

    sid: str
    to: str
    marker: str
    segments: int
    through_service: bool


class Load(threading.Thread):
    """One client: posts at its share of the rate, keeps each 201, survives the kills."""

    def __init__(self, number, world, rate, seed):
        super().__init__(daemon=True)
        self.accepted: list[Accepted] = []
        self.unanswered = 0
        # Markers of the requests with a key, and how many needed a second answer.
        self.keyed: list[str] = []
        self.replayed = 0
        self.refused = collections.Counter()
        self._number = number
        self._world = world
        self._interval = 1 / rate
        self._random = random.Random(seed)
        self._stopping = threading.Event()

    def run(self):
        api = Api(self._world.server)
        due = time.monotonic()
        for count in range(sys.maxsize):
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                break
            # After an outage the load goes on at its rate; it does not make up for lost time.
            due = max(due + self._interval, time.monotonic() - 1)
            try:
                self._post(api, f"m{self._number}-{count}")
            except Refused as refusal:
                self.refused[refusal.status] += 1
            except (OSError, EOFError, ConnectionError) as error:
                self._lost(error)
            except Exception as error:  # http.client raises many; all mean: no answer
                self._lost(error)
        api.close()

    def stop(self):
        self._stopping.set()
        self.join()

    def _lost(self, _error):
        self.unanswered += 1
        self._world.is_up.wait(SETTLE_SECONDS)

    def _post(self, api, marker):
        world = self._world
        # A handset of its own for every message, so that handset and segment number name a segment.
        with world.lock:
            to = uk_number()
        segments = 2 if self._random.random() < 0.1 else 1
        body = marker + (" " + "x" * 160 if segments == 2 else "")
        through_service = self._random.random() < 0.5
        form = {"To": to, "Body": body, "StatusCallback": world.callback_url}
        if through_service:
            form["MessagingServiceSid"] = world.service_sid
        else:
            form["From"] = self._random.choice(world.senders)
        key = f"key-{marker}" if self._random.random() < 0.5 else None
        message = self._create(api, key, form)
        self.accepted.append(Accepted(message["sid"], to, marker, segments, through_service))

    def _create(self, api, key, form):
        """Posts once; with a key, until there is an answer."""
        if key is not None:
            self.keyed.append(form["Body"].split(" ")[0])
        while True:
            try:
                message = api.post("Messages", idempotency_key=key, **form)
            except Refused:
                raise
            except Exception as error:
                if key is None:
                    raise
                self._lost(error)
                continue
            self.replayed += api.was_replayed
            return message


class World:
    """Server, peer and receiver of one run, with the senders that the load uses."""

    def __init__(self, directory: pathlib.Path, policy: str):
        self.lock = threading.Lock()
        self.is_up = threading.Event()
        self.smsc = Smsc(directory)
        self.smsc.rule(receipts=[{"after_ms": 20, "jitter_ms": 180}])
        carrier = self.smsc.carrier(unknown_outcome=policy, window=64)
        self.server = Postrider(directory, CONFIG + carrier).start()
        self.receiver = Receiver()
        self.callback_url = self.receiver.url()

        api = Api(self.server)
        numbers = [api.post("IncomingPhoneNumbers", PhoneNumber=uk_number()) for _ in range(SENDERS)]
        self.senders = [number["phone_number"] for number in numbers]
        self.service_sid = api.post("/messaging/v1/Services", FriendlyName="load")["sid"]
        # A number in a pool can still be named as From, so all of them serve both kinds.
        for number in numbers:
            path = f"/messaging/v1/Services/{self.service_sid}/PhoneNumbers"
            api.post(path, PhoneNumberSid=number["sid"])
        api.close()
        self.is_up.set()

    def kill_and_restart(self):
        self.is_up.clear()
        self.server.kill()
        self.server.start()
        self.is_up.set()

    def close(self):
        self.server.stop()
        self.smsc.close()
        self.receiver.close()


def run(policy: str, seed: int, kills: int, rate: float, directory: pathlib.Path) -> list[str]:
    """One run; prints its report and returns what is wrong."""
    print(f"\n--- unknown_outcome = {policy}, seed {seed}, {kills} kills, {rate:g} messages/s")
    chance = random.Random(seed)
    world = World(directory, policy)
    loads = [
        Load(number, world, rate / CLIENTS, chance.randrange(2**32)) for number in range(CLIENTS)
    ]
    for load in loads:
        load.start()
    for _ in range(kills):
        time.sleep(chance.uniform(*UPTIME_SECONDS))
        world.kill_and_restart()
    time.sleep(1)
    for load in loads:
        load.stop()

    accepted = [message for load in loads for message in load.accepted]
    refused = sum((load.refused for load in loads), collections.Counter())
    unanswered = sum(load.unanswered for load in loads)
    keyed = [marker for load in loads for marker in load.keyed]
    replayed = sum(load.replayed for load in loads)
    print(f"201: {len(accepted)}, unanswered: {unanswered}, refused: {dict(refused) or 'none'}")
    print(f"with a key: {len(keyed)}, created before a kill and answered after it: {replayed}")
    problems = settle(world, accepted)
    problems += created_once(world, keyed)
    problems += compare(world, policy, accepted)
    world.close()
    if not accepted:
        problems.append("the load got no 201 at all")
    return problems


def settle(world, accepted) -> list[str]:
    """Waits until each accepted message has a final status and the callback for it has come."""
    api = Api(world.server, timeout=60)
    start = time.monotonic()
    sids = {message.sid for message in accepted}

    def unsettled():
        status = {message["sid"]: message["status"] for message in api.all_messages()}
        called = final_callbacks(world)
        open_ones = [sid for sid in sids if status.get(sid) not in FINAL or sid not in called]
        # Each look reads everything, so look seldom while much is open.
        if open_ones:
            time.sleep(0.5)
        return open_ones

    try:
        eventually(unsettled, lambda left: not left, seconds=SETTLE_SECONDS, what="all is final")
    except DeadlinePassed:
        return [f"{len(unsettled())} messages are not settled after {SETTLE_SECONDS} s"]
    finally:
        api.close()
    print(f"settled after {time.monotonic() - start:.1f} s")
    return []


def created_once(world, keyed) -> list[str]:
    """Each request with a key made one message."""
    api = Api(world.server, timeout=60)
    made = collections.Counter(message["body"].split(" ")[0] for message in api.all_messages())
    api.close()
    wrong = {marker: made[marker] for marker in keyed if made[marker] != 1}
    return [f"messages made by one key: {wrong}"] if wrong else []


def final_callbacks(world) -> set[str]:
    requests = world.receiver.requests(world.callback_url)
    return {request.message_sid for request in requests if request.status in FINAL}


def compare(world, policy, accepted) -> list[str]:
    """The books of clients, API, SMSC and callback receiver, held against each other."""
    api = Api(world.server, timeout=60)
    shown = {message["sid"]: message for message in api.all_messages()}
    api.close()
    sightings = collections.defaultdict(list)
    for segment in world.smsc.segments():
        sightings[segment.to, segment.number].append(segment)
    in_doubt = cut_short(world.smsc)
    callbacks = collections.defaultdict(collections.Counter)
    for request in world.receiver.requests(world.callback_url):
        callbacks[request.message_sid][request.status] += 1

    wrong = collections.defaultdict(list)
    undelivered = collections.Counter()
    for message in accepted:
        seen = [sightings.get((message.to, n), []) for n in range(1, message.segments + 1)]
        is_doubtful = any(key in in_doubt for key in in_doubt_keys(message))
        status = shown.get(message.sid, {}).get("status", "lost")
        code = shown.get(message.sid, {}).get("error_code")
        got = callbacks[message.sid]

        if status == "delivered":
            if not all(seen):
                wrong["delivered, but never seen at the SMSC"].append(message)
        elif policy == "fail" and (status, code) == ("undelivered", UNKNOWN_FAILURE):
            undelivered["seen at the SMSC" if any(seen) else "not seen at the SMSC"] += 1
            if any(seen) and not is_doubtful:
                wrong["undelivered, though no kill cut it short"].append(message)
        else:
            wrong[f"ended {status} ({code})"].append(message)

        first = seen[0][0] if seen[0] else None
        if first is not None:
            part = part_of(first)
            if not decode(part.text, part.data_coding).split(" ")[0] == message.marker:
                wrong["another text arrived"].append(message)

        if status != "lost" and got[status] == 0:
            wrong["no callback for the final status"].append(message)
        if message.through_service and got["queued"] == 0:
            wrong["no callback for queued"].append(message)
        # A response that a kill swallowed was never known, so there may have been no `sent`.
        if status == "delivered" and got["sent"] == 0 and not is_doubtful:
            wrong["no callback for sent"].append(message)

    duplicates = {key: found for key, found in sightings.items() if len(found) > 1}
    unexplained = [key for key in duplicates if key not in in_doubt]
    repeated = sum(count - 1 for got in callbacks.values() for count in got.values() if count > 1)
    print(f"segments at the SMSC: {sum(map(len, sightings.values()))}, in doubt at a kill: {len(in_doubt)}")
    print(f"duplicates at the SMSC: {len(duplicates)}, not explained by a kill: {len(unexplained)}")
    print(f"undelivered for doubt: {sum(undelivered.values())} {dict(undelivered) or ''}")
    print(f"callbacks: {sum(got.total() for got in callbacks.values())}, repeated: {repeated}")

    problems = [f"{what}: {len(found)}, such as {found[0]}" for what, found in wrong.items()]
    if policy == "fail" and duplicates:
        problems.append(f"{len(duplicates)} duplicates under `fail`: {list(duplicates)[:3]}")
    elif unexplained:
        problems.append(f"{len(unexplained)} duplicates without a reason: {unexplained[:3]}")
    return problems


def in_doubt_keys(message):
    return [(message.to, number) for number in range(1, message.segments + 1)]


def cut_short(smsc) -> set[tuple[str, int]]:
    """Segments whose link died soon after they arrived, together with those of their message."""
    closed = {event["session"]: event["at"] for event in smsc.events() if event["event"] == "close"}
    found = set()
    for segment in smsc.segments():
        if 0 <= closed.get(segment.session, float("inf")) - segment.at <= DOUBT_SECONDS:
            found |= {(segment.to, number) for number in range(1, segment.total + 1)}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=os.environ.get("CRASH_SEED"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=float, default=300, help="messages a second over all clients")
    parser.add_argument("--policy", choices=POLICIES, help="only this run")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else int(options.seed)

    failed = 0
    policies = [options.policy] if options.policy else POLICIES
    for policy in policies:
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"crash-{policy}-"))
        problems = run(policy, seed, options.kills, options.rate, directory)
        for problem in problems:
            print(f"WRONG: {problem}")
        if problems:
            failed += 1
            print(f"again with: --seed {seed} --policy {policy}; logs and records are in {directory}")
        else:
            shutil.rmtree(directory)
    print(f"\ncrash: {len(policies) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
