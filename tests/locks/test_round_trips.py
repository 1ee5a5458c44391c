"""What a hold costs: each statement is a round trip, so they are counted."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from locks import services
from tests.locks.conftest import SomeNights

pytestmark = pytest.mark.django_db(transaction=True)


def test_holding_is_one_statement_its_due_item_its_event_and_the_commit(
    rooms: list[int], nights: SomeNights
) -> None:
    with CaptureQueriesContext(connection) as queries:
        services.acquire(rooms=rooms[:1], nights=nights(1))
    # BEGIN is logged on its own and travels with the first statement.
    begins = [query["sql"].split()[0] for query in queries]
    assert begins == ["BEGIN", "WITH", "INSERT", "INSERT", "COMMIT"]
