"""The SDK's validator itself, on the vectors of its own public suites, so that a failure elsewhere
can be laid at the right door. Needs no server. sending.md 2.5."""

from twilio.request_validator import RequestValidator

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
VALIDATOR = RequestValidator("12345")


def test_form_vector():
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    assert VALIDATOR.validate(URL, fields, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not VALIDATOR.validate(URL, fields | {"Digits": "1235"}, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


def test_json_vector():
    digest = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    url = f"{URL}&bodySHA256={digest}"
    body = '{"property": "value", "boolean": true}'
    assert VALIDATOR.validate(url, body, "a9nBmqA0ju/hNViExpshrM61xv4=")
