"""Tests of the guest names on the room board, the admin page that shows the stays of each room."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from locks import selectors, services
from locks.services import NewStay
from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db
BOARD = "/admin/locks/room/board/"


@pytest.fixture
def reservation(in_hotel: Hotel, book: Callable[..., Reservation]) -> Reservation:
    """Return a reservation of the guest Ana Lima, with a stay in room 101 that begins today."""
    today = selectors.today()
    tomorrow = today + timedelta(days=1)
    room = services.ensure_rooms({"double": 1})["double"][0]
    placed = services.add_stays([NewStay(room=room, check_in=today, check_out=tomorrow)]).added
    reservation = book("R1", today.isoformat(), tomorrow.isoformat())
    Reservation.objects.filter(pk=reservation.pk).update(stay_id=placed[0].id)
    return reservation


def test_room_board_shows_the_guest_with_a_link_to_the_reservation(
    staff: Client, reservation: Reservation
) -> None:
    page = staff.get(BOARD).content.decode()
    assert 'data-guest="Ana Lima"' in page
    panel = f"/admin/reminders/reservation/{reservation.pk}/panel/"
    assert f'data-panel="{panel}"' in page
    assert (
        f'href="/admin/reminders/reservation/{reservation.pk}/change/"' in staff.get(panel).content.decode()
    )


def test_room_board_hides_guests_from_users_without_the_reservations_scope(
    staff: Client, hotel: Hotel, reservation: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hotel_context(hotel):
        user = User.objects.get(role=Role.MANAGER)
    monkeypatch.setattr(User, "scopes", user.scopes - {"reservations:read"})
    page = staff.get(BOARD)
    assert page.status_code == 200
    assert "Ana Lima" not in page.content.decode()
