"""A customer's application: an HTTP server in a thread that writes down every webhook.

It answers 204 unless a path is told otherwise. Paths are given out by `url()`, one per test, so
tests never see each other's requests.
"""

import dataclasses
import http.server
import itertools
import sys
import threading
import time
import urllib.parse

from harness.waiting import eventually

HANG_SECONDS_MAX = 60


@dataclasses.dataclass(frozen=True)
class Webhook:
    """One request as it arrived. `url` is what was called: with its query, without its fragment."""

    method: str
    url: str
    headers: dict[str, str]
    """Names in lower case."""
    fields: dict[str, str]
    """Those of the form; of the query, if it is a GET."""
    body: bytes
    at: float

    @property
    def status(self) -> str:
        return self.fields.get("MessageStatus", "")

    @property
    def message_sid(self) -> str:
        return self.fields.get("MessageSid", "")


@dataclasses.dataclass(frozen=True)
class Document:
    """What an application answers."""

    body: bytes
    content_type: str
    cookie: str | None


class Receiver:
    def __init__(self):
        self._requests: dict[str, list[Webhook]] = {}
        self._answers: dict[str, list[int]] = {}
        self._documents: dict[str, Document] = {}
        self._hanging: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, rest: str = "") -> str:
        """A fresh URL; `rest` may hold a query and a fragment."""
        return f"{self.base}/callbacks/{next(self._numbers)}{rest}"

    def answer(self, url: str, *statuses: int):
        """Answers the next requests to `url` with these statuses, then with 204 again."""
        self._answers[_path(url)] = list(statuses)

    def say(self, url: str, body, content_type="text/xml", cookie=None):
        """Answers all requests to `url` with 200 and this, such as an SDK's `MessagingResponse`."""
        self._documents[_path(url)] = Document(str(body).encode(), content_type, cookie)

    def hang(self, url: str) -> threading.Event:
        """Leaves requests to `url` unanswered until the event is set."""
        return self._hanging.setdefault(_path(url), threading.Event())

    def requests(self, url: str) -> list[Webhook]:
        with self._lock:
            return list(self._requests.get(_path(url), []))

    def statuses(self, url: str) -> list[str]:
        return [request.status for request in self.requests(url)]

    def wait_for(self, url: str, last_status: str, **waiting) -> list[Webhook]:
        """Waits until a request with `last_status` is there and returns all of them."""
        return eventually(
            lambda: self.requests(url),
            lambda requests: any(request.status == last_status for request in requests),
            what=f"a callback with status {last_status}",
            **waiting,
        )

    def close(self):
        for event in self._hanging.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, webhook: Webhook) -> "int | Document":
        path = _path(webhook.url)
        with self._lock:
            self._requests.setdefault(path, []).append(webhook)
            queue = self._answers.get(path)
            answer = queue.pop(0) if queue else self._documents.get(path, 204)
            hanging = self._hanging.get(path)
        if hanging is not None:
            hanging.wait(HANG_SECONDS_MAX)
        return answer


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """A caller that dies in the middle of a request is no news: suites kill it on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler_for(receiver: Receiver):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                self.close_connection = True
                return
            query = urllib.parse.urlsplit(self.path).query
            form = body.decode() if self.command == "POST" else query
            webhook = Webhook(
                method=self.command,
                url=receiver.base + self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                fields=dict(urllib.parse.parse_qsl(form, keep_blank_values=True)),
                body=body,
                at=time.time(),
            )
            answer = receiver._take(webhook)
            if isinstance(answer, int):
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.cookie:
                self.send_header("Set-Cookie", answer.cookie)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    return Handler


def _path(url: str) -> str:
    return urllib.parse.urlsplit(url).path
