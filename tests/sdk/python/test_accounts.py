"""Accounts, subaccounts and API keys: api.md 3 and 8.4."""

import re

from harness.numbers import us_number
from self_hosted import by_http_client


def test_the_main_account_describes_itself(server, main):
    account = main.api.v2010.accounts(server.account_sid).fetch()
    assert account.sid == server.account_sid
    assert account.owner_account_sid == server.account_sid
    assert (account.status, account.type) == ("active", "Full")
    assert account.date_created.tzinfo is not None


def test_a_subaccount_is_created_listed_renamed_and_closed(server, main):
    created = main.api.v2010.accounts.create(friendly_name="shop")
    assert re.fullmatch("AC[0-9a-f]{32}", created.sid)
    assert re.fullmatch("[0-9a-f]{32}", created.auth_token)
    assert created.owner_account_sid == server.account_sid
    assert created.status == "active"

    renamed = main.api.v2010.accounts(created.sid).update(friendly_name="the renamed shop")
    assert renamed.friendly_name == "the renamed shop"
    listed = main.api.v2010.accounts.list(friendly_name="the renamed shop")
    assert [account.sid for account in listed] == [created.sid]

    closed = main.api.v2010.accounts(created.sid).update(status="closed")
    assert closed.status == "closed"
    assert created.sid in {account.sid for account in main.api.v2010.accounts.list(status="closed")}


def test_a_suspended_account_sends_nothing_until_it_is_active_again(main, account, refused):
    number = account.number()
    send = dict(to=us_number(), from_=number.phone_number, body="hello")
    main.api.v2010.accounts(account.account_sid).update(status="suspended")
    refused(20005, 403, account.client.messages.create, **send)
    main.api.v2010.accounts(account.account_sid).update(status="active")
    account.settled(account.client.messages.create(**send))


def test_the_parents_credentials_open_the_child(server, account):
    as_parent = by_http_client(
        server.url, server.account_sid, server.auth_token, account.account_sid
    )
    number = as_parent.incoming_phone_numbers.create(phone_number=us_number())
    assert number.account_sid == account.account_sid
    assert [n.sid for n in account.client.incoming_phone_numbers.list()] == [number.sid]


def test_a_child_does_not_see_its_parent(server, account, refused):
    refused(20404, 404, account.client.api.v2010.accounts(server.account_sid).fetch)


def test_a_key_is_created_listed_fetched_renamed_and_deleted(account, refused):
    key = account.client.new_keys.create(friendly_name="ci")
    assert re.fullmatch("SK[0-9a-f]{32}", key.sid)
    assert re.fullmatch("[A-Za-z0-9]{32}", key.secret)

    keys = account.client.keys
    assert [listed.sid for listed in keys.list()] == [key.sid]
    fetched = keys(key.sid).fetch()
    assert fetched.friendly_name == "ci"
    assert not hasattr(fetched, "secret")
    assert keys(key.sid).update(friendly_name="nightly").friendly_name == "nightly"
    assert keys(key.sid).delete() is True
    refused(20404, 404, keys(key.sid).fetch)


def test_a_key_authenticates_but_manages_neither_keys_nor_accounts(server, account, refused):
    key = account.client.new_keys.create(friendly_name="app")
    client = by_http_client(server.url, key.sid, key.secret, account.account_sid)
    number = client.incoming_phone_numbers.create(phone_number=us_number())
    message = client.messages.create(to=us_number(), from_=number.phone_number, body="hello")
    account.settled(message)
    assert client.messaging.v1.services.create(friendly_name="by key").sid.startswith("MG")
    refused(20003, 403, client.new_keys.create, friendly_name="another")
    refused(20003, 403, client.api.v2010.accounts.create, friendly_name="another")


def test_a_deleted_key_opens_nothing(server, account, refused):
    key = account.client.new_keys.create(friendly_name="short-lived")
    account.client.keys(key.sid).delete()
    client = by_http_client(server.url, key.sid, key.secret, account.account_sid)
    refused(20003, 401, client.messages("SM" + "0" * 32).fetch)
