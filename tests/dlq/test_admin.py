import pytest
from django.test import Client

from dlq.models import Failure
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import Lamp, captured, reread

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failure/"


@pytest.fixture
def failure(hotel: Hotel, lamp: Lamp) -> Failure:
    with hotel_context(hotel):
        return captured(text="550 no such lamp", retry=False)


def _act(client: Client, failure: Failure, action: str, **fields: str) -> str:
    answer = client.post(
        LIST, {"action": action, "_selected_action": [str(failure.id)], **fields}, follow=True
    )
    return answer.content.decode()


def _status(hotel: Hotel, failure: Failure) -> str:
    with hotel_context(hotel):
        return reread(failure).status


def test_the_list_says_what_failed_and_why(staff: Client, failure: Failure) -> None:
    page = staff.get(LIST).content.decode()
    assert "tests.lamp" in page
    assert "Broken: 550 no such lamp" in page
    assert f"?fingerprint={failure.fingerprint}" in page


def test_it_is_narrowed_by_status_and_group(staff: Client, failure: Failure) -> None:
    for query, found in (
        ({"status__exact": "permanent"}, True),
        ({"status__exact": "resolved"}, False),
        ({"fingerprint": failure.fingerprint}, True),
        ({"fingerprint": "0" * 16}, False),
    ):
        assert ("550 no such lamp" in staff.get(LIST, query).content.decode()) is found


def test_one_shows_its_error_its_payload_and_its_attempts(staff: Client, failure: Failure) -> None:
    page = staff.get(f"{LIST}{failure.id}/change/").content.decode()
    assert "Traceback" not in page or "Broken" in page
    assert "550 no such lamp" in page
    assert "lamp" in page


def test_send_again_plans_it(staff: Client, hotel: Hotel, failure: Failure) -> None:
    assert "will be sent again" in _act(staff, failure, "retry")
    assert _status(hotel, failure) == "scheduled"


def test_discard_asks_for_a_reason(staff: Client, hotel: Hotel, failure: Failure) -> None:
    _act(staff, failure, "discard")
    assert _status(hotel, failure) == "permanent"
    _act(staff, failure, "discard", reason="done by hand")
    assert _status(hotel, failure) == "discarded"


def test_what_can_t_be_done_is_said(staff: Client, hotel: Hotel, failure: Failure) -> None:
    _act(staff, failure, "discard", reason="done by hand")
    assert "It is discarded" in _act(staff, failure, "retry")


def test_the_front_desk_looks_and_does_not_act(hotel: Hotel, failure: Failure) -> None:
    client = Client(SERVER_NAME="alpha.localhost")
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="desk", password=None, role=Role.FRONT_DESK))
    assert client.get(LIST).status_code == 200
    _act(client, failure, "retry")
    assert _status(hotel, failure) == "permanent"


def test_nothing_is_added_changed_or_deleted_by_hand(staff: Client, failure: Failure) -> None:
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{failure.id}/change/", {"status": "resolved"}).status_code == 403
    assert staff.post(f"{LIST}{failure.id}/delete/", {"post": "yes"}).status_code == 403
