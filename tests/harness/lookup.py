"""A lookup of recipients' networks, as operators may have one: answers over HTTP, and what was asked."""

import contextlib
import http.server
import json
import threading

SERVED, AWAY = {"mcc": "310", "mnc": "410"}, {"mcc": 311, "mnc": 480}


class Lookup:
    """Answers for one number at a time, and writes down who was asked for, and how."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self._held = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                number = self.path.rsplit("/", 1)[-1]
                outer.asked.append((number, self.headers.get("Authorization")))
                if number in outer._held:
                    outer._held[number].wait()
                status, body = outer.answers.get(number, (404, None))
                text = json.dumps(body).encode() if body is not None else b""
                # Who asked may have gone.
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/networks/{{number}}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @contextlib.contextmanager
    def held(self, phone_number):
        """Answers nothing about this number within."""
        release = self._held[phone_number[1:]] = threading.Event()
        try:
            yield
        finally:
            del self._held[phone_number[1:]]
            release.set()

    def was_asked(self, phone_number):
        return phone_number[1:] in [number for number, _ in self.asked]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
