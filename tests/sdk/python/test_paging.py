"""Paging in both styles, three pages forward and back. api.md 5."""

import pytest

from harness.numbers import us_number

ROWS = 7
PAGE_SIZE = 3


@pytest.fixture
def messages(account):
    number = account.number()
    for row in range(ROWS):
        account.client.messages.create(to=us_number(), from_=number.phone_number, body=f"row {row}")
    return account.client.messages, "body", [f"row {row}" for row in range(ROWS)]


@pytest.fixture
def services(account):
    for row in range(ROWS):
        account.service(friendly_name=f"row {row}")
    return account.client.messaging.v1.services, "friendly_name", [f"row {n}" for n in range(ROWS)]


@pytest.fixture
def pool(account):
    numbers = [account.number() for _ in range(ROWS)]
    service = account.service(*numbers)
    return service.phone_numbers, "phone_number", [number.phone_number for number in numbers]


@pytest.fixture
def numbers(account):
    numbers = [account.number() for _ in range(ROWS)]
    return (
        account.client.incoming_phone_numbers,
        "phone_number",
        [number.phone_number for number in numbers],
    )


@pytest.fixture(params=["messages", "numbers", "services", "pool"])
def resource(request):
    """A list resource of the 2010 API or of v1, the attribute that tells rows apart, its values."""
    return request.getfixturevalue(request.param)


def test_stream_reads_every_row_once_over_three_pages(resource):
    rows, attribute, expected = resource
    read = [getattr(row, attribute) for row in rows.stream(page_size=PAGE_SIZE)]
    assert sorted(read) == sorted(expected)


def test_limit_stops_in_the_second_page(resource):
    rows, _, _ = resource
    assert len(rows.list(page_size=PAGE_SIZE, limit=PAGE_SIZE + 1)) == PAGE_SIZE + 1


def test_pages_lead_forward_and_back(resource):
    rows, attribute, expected = resource
    first = rows.page(page_size=PAGE_SIZE)
    seen = [[getattr(row, attribute) for row in first]]
    second = first.next_page()
    seen.append([getattr(row, attribute) for row in second])
    third = second.next_page()
    seen.append([getattr(row, attribute) for row in third])
    assert [len(page) for page in seen] == [3, 3, 1]
    assert sorted(sum(seen, [])) == sorted(expected)
    assert third.next_page() is None

    back = third.previous_page()
    assert [getattr(row, attribute) for row in back] == seen[1]
    assert [getattr(row, attribute) for row in back.previous_page()] == seen[0]


def test_the_newest_message_comes_first(messages):
    rows, _, expected = messages
    assert [row.body for row in rows.list()] == expected[::-1]


def test_rows_inserted_while_paging_move_nothing(account, messages):
    rows, _, expected = messages
    first = rows.page(page_size=PAGE_SIZE)
    read = [row.body for row in first]
    number = account.client.incoming_phone_numbers.list()[0]
    account.client.messages.create(to=us_number(), from_=number.phone_number, body="late")
    page = first.next_page()
    while page is not None:
        read += [row.body for row in page]
        page = page.next_page()
    assert read == expected[::-1]


def test_a_filter_holds_on_every_page(account):
    number, recipient = account.number(), us_number()
    for row in range(ROWS):
        for to in (recipient, us_number()):
            account.client.messages.create(to=to, from_=number.phone_number, body=f"row {row}")
    read = [row.to for row in account.client.messages.stream(to=recipient, page_size=PAGE_SIZE)]
    assert read == [recipient] * ROWS


def test_an_exactly_full_last_page_is_the_last(account):
    number = account.number()
    for row in range(2 * PAGE_SIZE):
        account.client.messages.create(to=us_number(), from_=number.phone_number, body=f"row {row}")
    second = account.client.messages.page(page_size=PAGE_SIZE).next_page()
    assert len(list(second)) == PAGE_SIZE
    assert second.next_page() is None
