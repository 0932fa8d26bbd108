"""The 2010 API over one kept-alive connection, without an SDK: for suites about what lies behind it.

Not for two threads at once: each has an `Api` of its own.
"""

import base64
import http.client
import json
import socket
import urllib.parse


class Refused(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status


class Api:
    def __init__(self, server, timeout=15):
        self._server = server
        self._timeout = timeout
        self._connection = None
        # Whether the last answer had been given before.
        self.was_replayed = False
        credentials = f"{server.account_sid}:{server.auth_token}".encode()
        self._headers = {"Authorization": "Basic " + base64.b64encode(credentials).decode()}
        self.account_path = f"/2010-04-01/Accounts/{server.account_sid}"

    def post(self, resource: str, idempotency_key=None, **form) -> dict:
        """POSTs to a 2010 resource of the account, or to an absolute path such as `/v1/Services`."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self._request("POST", resource, urllib.parse.urlencode(form), headers)

    def get(self, resource: str, **query) -> dict:
        return self._request("GET", resource, query=urllib.parse.urlencode(query))

    def all_messages(self) -> list[dict]:
        """Every message of the account, a thousand a page."""
        page = self.get("Messages", PageSize=1000)
        messages = page["messages"]
        while page["next_page_uri"]:
            page = self._request("GET", page["next_page_uri"])
            messages += page["messages"]
        return messages

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, method, resource, body=None, headers=(), query=""):
        path = resource
        if not path.startswith("/"):
            path = f"{self.account_path}/{resource}.json"
        if query:
            path += "?" + query
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                *self._server.address, timeout=self._timeout
            )
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._connection.request(method, path, body, self._headers | dict(headers))
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        self.was_replayed = answer.getheader("Idempotent-Replayed") == "true"
        if answer.status >= 300:
            raise Refused(answer.status, text.decode(errors="replace"))
        return json.loads(text) if text else {}
