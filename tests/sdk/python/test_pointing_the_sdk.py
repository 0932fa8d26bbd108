"""Both documented ways of pointing the SDK at Postrider carry the whole of it. api.md 10, way B."""

import pytest

from harness.numbers import us_number
from self_hosted import by_base_url, by_http_client


@pytest.mark.parametrize("way", [by_base_url, by_http_client], ids=lambda way: way.__name__)
def test_everything_an_application_does_works(server, account, refused, way):
    client = way(server.url, account.account_sid, account.auth_token)
    number = client.incoming_phone_numbers.create(phone_number=us_number())
    services = [client.messaging.v1.services.create(friendly_name=f"row {n}") for n in range(7)]
    services[0].phone_numbers.create(phone_number_sid=number.sid)

    recipients = [us_number() for _ in range(7)]
    for recipient in recipients:
        client.messages.create(
            to=recipient, messaging_service_sid=services[0].sid, body="hello"
        )
    sent = [message.to for message in client.messages.stream(page_size=3)]
    assert sent == recipients[::-1]
    listed = [service.sid for service in client.messaging.v1.services.stream(page_size=3)]
    assert sorted(listed) == sorted(service.sid for service in services)

    refused(20404, 404, client.messages("SM" + "0" * 32).fetch)
    assert client.messaging.v1.services(services[1].sid).delete() is True
    refused(20404, 404, client.messaging.v1.services(services[1].sid).fetch)
