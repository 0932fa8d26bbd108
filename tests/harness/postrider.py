"""One Postrider process on a directory of its own: started, killed, started again, stopped.

The binary is `$POSTRIDER_BIN`, by default `target/release/postrider`. It runs on 127.0.0.1 with a
port of the system's choosing, announced as `listening on http://127.0.0.1:PORT` on its stdout.
"""

import os
import pathlib
import re
import secrets
import signal
import subprocess
import threading

import requests

from harness.waiting import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY_SECONDS = 20
STOP_SECONDS = 30


class Postrider:
    """`config` is appended to the settings that every suite needs; `{...}` in it means nothing."""

    def __init__(self, directory: pathlib.Path, config: str = ""):
        self.directory = pathlib.Path(directory)
        self.account_sid = "AC" + secrets.token_hex(16)
        self.auth_token = secrets.token_hex(16)
        self.url = None
        self._process = None
        self._listen = "127.0.0.1:0"
        self._config = self.directory / "postrider.toml"
        self._log = self.directory / "postrider.log"
        self.configure(config)

    def configure(self, config: str):
        """Writes the configuration, for the next start or reload."""
        # A top-level key or a section given by the caller must not appear twice, so ours are few.
        self._config.write_text(
            f'[store]\nurl = "sqlite://{self.directory / "data"}"\n\n'
            "[webhooks]\nallow_private_networks = true\n\n" + config
        )

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts, or starts again on the same data and port, and waits until it is ready."""
        binary = pathlib.Path(os.environ.get("POSTRIDER_BIN", ROOT / "target/release/postrider"))
        if not binary.exists():
            raise FileNotFoundError(
                f"{binary} is not there: cargo build --release, or set POSTRIDER_BIN"
            )
        environment = os.environ | {
            "POSTRIDER_ACCOUNT_SID": self.account_sid,
            "POSTRIDER_AUTH_TOKEN": self.auth_token,
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [binary, "serve", "--config", self._config, "--listen", self._listen],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        announced = threading.Event()
        reader = threading.Thread(
            target=self._read_stdout, args=(self._process.stdout, announced), daemon=True
        )
        reader.start()
        eventually(
            lambda: announced.is_set() or self._process.poll() is not None,
            seconds=READY_SECONDS,
            what="the line `listening on http://...`",
        )
        if not announced.is_set():
            code = self._process.wait()
            raise RuntimeError(f"serve ended with {code} before it listened\n{self.log_tail()}")
        eventually(self._is_ready, seconds=READY_SECONDS, what="/readyz answers 200")
        return self

    def kill(self):
        """SIGKILL: no goodbye, no flush."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def reload(self):
        """SIGHUP: the configuration and its tables are read again, in a moment."""
        self._process.send_signal(signal.SIGHUP)

    def stop(self):
        """SIGTERM; must end with 0 within the time that operators are promised."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"not stopped {STOP_SECONDS} s after SIGTERM") from None
        if code != 0:
            raise RuntimeError(f"SIGTERM ended serve with {code}\n{self.log_tail()}")

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def log_tail(self, lines=40) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def log_count(self, text: str) -> int:
        """How many lines of the log have this text in them."""
        log = self._log.read_text(errors="replace") if self._log.exists() else ""
        return sum(text in line for line in log.splitlines())

    def extension(self, path: str, account=None, **form):
        """POSTs a form to `/x/v1/PATH` as `account` (default: the main one); returns the JSON."""
        who = account or self
        answer = requests.post(
            f"{self.url}/x/v1/{path}", data=form, auth=(who.account_sid, who.auth_token), timeout=10
        )
        assert answer.status_code in (200, 201), f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def simulate(self, to: str, outcome: str, **more):
        """Tells the simulated carrier what becomes of messages to `to`.

        Outcome is delivered, undelivered, rejected, lost_receipt, throttle or unknown; `more` is
        ErrorCode, DelayMs, Times. Without a rule, messages are delivered after a short delay.
        """
        return self.extension("Simulator/Rules", To=to, Outcome=outcome, **more)

    def _is_ready(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"serve ended while starting\n{self.log_tail()}")
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def _read_stdout(self, stdout, announced):
        """Finds the URL, then goes on reading so that the pipe never fills."""
        for line in stdout:
            found = re.match(r"listening on (http://127\.0\.0\.1:\d+)\s*$", line)
            if found and not announced.is_set():
                self.url = found.group(1)
                self._listen = self.url.removeprefix("http://")
                announced.set()
        stdout.close()
