"""Alerts as the SDK reads them, and the pre-registration alert. content-and-inbound.md 6 and 8."""

import datetime
import urllib.parse

import requests

from harness.numbers import us_number
from harness.waiting import eventually

EMIRATES = "+971500000099"


def alerts_of(account, count, **filters):
    return eventually(
        lambda: account.client.monitor.v1.alerts.list(**filters),
        lambda alerts: len(alerts) == count,
        what=f"{count} alerts",
    )


def details(alert):
    return dict(urllib.parse.parse_qsl(alert.alert_text))


def alpha_service(account, server, alert="true"):
    service = account.service(account.number())
    service.alpha_senders.create(alpha_sender="ACME")
    answer = server.extension(f"Services/{service.sid}", account, SenderIdPreregAlert=alert)
    assert answer["sender_id_prereg_alert"] is (alert == "true")
    return service


def send(account, service, to):
    message = account.client.messages.create(
        to=to, messaging_service_sid=service.sid, body="hello"
    )
    return account.settled(message)


def test_an_unregistered_sender_is_a_warning_and_no_obstacle(account, server):
    service = alpha_service(account, server)
    message = send(account, service, EMIRATES)
    assert (message.from_, message.error_code) == ("ACME", None)
    (alert,) = alerts_of(account, 1)
    assert alert.sid.startswith("NO")
    assert alert.error_code == "30018"
    assert alert.log_level == "warning"
    assert alert.resource_sid == message.sid
    assert alert.service_sid == service.sid
    assert alert.account_sid == account.account_sid
    assert alert.more_info == "https://www.twilio.com/docs/errors/30018"
    assert alert.date_generated.tzinfo == datetime.timezone.utc
    fetched = account.client.monitor.v1.alerts(alert.sid).fetch()
    assert fetched.alert_text == alert.alert_text
    assert fetched.request_variables is None

    registered = server.extension(
        "RegisteredSenders", account, Sender="ACME", IsoCountryCode="AE", ValidUntil="2100-01-01"
    )
    assert registered["status"] == "registered"
    send(account, service, EMIRATES)
    assert "Count" not in details(alerts_of(account, 1)[0])


def test_failures_are_filtered_by_level_and_date(account, server):
    recipient = us_number()
    server.simulate(recipient, "undelivered", ErrorCode=30005)
    account.settled(
        account.client.messages.create(
            to=recipient, from_=account.number().phone_number, body="hello"
        ),
        "undelivered",
    )
    empty = account.service()
    empty.alpha_senders.create(alpha_sender="ACME")
    account.settled(
        account.client.messages.create(
            to=us_number(), messaging_service_sid=empty.sid, body="hello"
        ),
        "failed",
    )
    codes = [alert.error_code for alert in alerts_of(account, 2)]
    assert codes == ["21703", "30005"], "newest first"
    today = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    for filters, expected in [
        ({"log_level": "error"}, ["21703"]),
        ({"log_level": "warning"}, ["30005"]),
        ({"log_level": "debug"}, []),
        ({"start_date": today - day, "end_date": today + day}, codes),
        ({"start_date": today + day}, []),
        ({"end_date": today - 2 * day}, []),
        ({"page_size": 1}, codes),
    ]:
        listed = account.client.monitor.v1.alerts.list(**filters)
        assert [alert.error_code for alert in listed] == expected, filters


def test_a_failed_webhook_shows_its_request(account, receiver):
    url = receiver.url()
    receiver.answer(url, 500, 500)
    message = account.client.messages.create(
        to=us_number(), from_=account.number().phone_number, body="hello", status_callback=url
    )
    account.settled(message)
    alerts = alerts_of(account, 2)
    assert {alert.error_code for alert in alerts} == {"11217"}
    fetched = account.client.monitor.v1.alerts(alerts[0].sid).fetch()
    assert (fetched.request_method, fetched.request_url) == ("POST", url)
    assert fetched.resource_sid == message.sid
    variables = dict(urllib.parse.parse_qsl(fetched.request_variables))
    assert variables["MessageSid"] == message.sid
    assert "x-twilio-signature" in fetched.request_headers
    assert details(fetched)["httpResponse"] == "500"


def test_an_alert_cannot_be_deleted(account, server, refused):
    alpha = alpha_service(account, server)
    send(account, alpha, EMIRATES)
    (alert,) = alerts_of(account, 1)
    credentials = (account.account_sid, account.auth_token)
    url = f"{server.url}/monitor/v1/Alerts/{alert.sid}"
    assert requests.delete(url, auth=credentials, timeout=10).status_code == 405
    missing = account.client.monitor.v1.alerts("NO" + "0" * 32)
    refused(20404, 404, missing.fetch)
