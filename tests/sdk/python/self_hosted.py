"""The two ways of pointing the unmodified Python SDK at a Postrider, as the documentation gives them."""

from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

PRODUCTS = ("api", "messaging", "conversations", "content", "monitor", "accounts")


class SelfHosted(TwilioHttpClient):
    """An HTTP client that sends requests for `PRODUCT.twilio.com` to `BASE/PRODUCT`."""

    def __init__(self, base, **options):
        super().__init__(**options)
        self.base = base.rstrip("/")

    def request(self, method, url, *arguments, **options):
        parts = urlsplit(url)
        if parts.hostname.endswith(".twilio.com"):
            product = parts.hostname.split(".")[0]
            query = f"?{parts.query}" if parts.query else ""
            url = f"{self.base}/{product}{parts.path}{query}"
        return super().request(method, url, *arguments, **options)


def by_http_client(base, username, password, account_sid=None) -> Client:
    """One argument at construction; survives changes of the SDK's inside."""
    return Client(username, password, account_sid, http_client=SelfHosted(base))


def by_base_url(base, username, password, account_sid=None) -> Client:
    """The shortest: assign each product's base URL."""
    client = Client(username, password, account_sid)
    for product in PRODUCTS:
        getattr(client, product).base_url = f"{base}/{product}"
    return client
