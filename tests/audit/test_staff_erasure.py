"""Tests of the erasure of a member of staff from the audit trail. A restore from a backup repeats the erasure."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from audit.entries import entry
from audit.models import Event
from audit.registry import EventType
from audit.services import record
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tenants.services import create_hotel
from tests.tenants import backups


def act_as(user: User, guest_called: EventType) -> None:
    """Record an event of the user, an event of a task that the user started, and two events that name the user."""
    person = Actor("user", str(user.pk), user.username, "192.0.2.7", user_agent="Firefox of rosa.diaz")
    fields: dict[str, Any] = {"room": 7, "reason": "", "pin": ""}
    with actor_context(person):
        record(guest_called, **fields, guest="Ada")
    with actor_context(Actor("task", "tests.task", "tests.task", task_id="t-1", initiator=person)):
        record(guest_called, **fields, guest="Ada")
    with actor_context(Actor("user", "8", "ben")):
        record(guest_called, **fields, guest="rosa.diaz")
        record(guest_called, subject=("user", user.pk), **fields, guest="Rosa")


def erase(hotel: Hotel, username: str = "rosa.diaz") -> None:
    call_command("erase_staff", username, "--hotel", hotel.slug, "--yes")


def stored_text() -> str:
    return str([*Event.objects.values(), *User.objects.values()])


@pytest.mark.django_db
def test_erasure_of_a_member_of_staff_removes_the_personal_data_but_keeps_the_events(
    hotel: Hotel, guest_called: EventType
) -> None:
    with hotel_context(hotel):
        user = User.objects.create_user(
            username="rosa.diaz",
            password=None,
            role=Role.MANAGER,
            full_name="Rosa Diaz",
            email="rosa@diaz.example",
        )
        act_as(user, guest_called)
        before = {event.id: entry(event) for event in Event.objects.all()}
    erase(hotel)
    with hotel_context(hotel):
        assert not [word for word in ("rosa", "Rosa", "192.0.2.7") if word in stored_text()]
        assert "ben" in stored_text()
        assert "Ada" in stored_text()
        assert {event.id: entry(event) for event in Event.objects.filter(id__in=before)} == before
        assert not User.objects.get(id=user.id).is_active
        recorded = Event.objects.get(event="staff.erased")
        assert (recorded.subject_id, recorded.data) == (str(user.pk), {"hotel": str(hotel.id), "events": 6})
    with platform_context():
        assert Event.objects.get(event="staff.erased", subject_id=str(user.pk)).data["hotel"] == str(hotel.id)


@pytest.mark.django_db
def test_erasure_of_an_unknown_member_of_staff_fails(hotel: Hotel) -> None:
    with pytest.raises(CommandError) as error:
        erase(hotel, "nobody")
    assert error.value.returncode == 2


@pytest.mark.django_db
@pytest.mark.parametrize(("answer", "is_erased"), [("yes ", True), ("y", False), ("", False)])
def test_erasure_on_a_terminal_requires_the_answer_yes(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch, answer: str, is_erased: bool
) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="rosa.diaz", password=None, role=Role.MANAGER)
    monkeypatch.setattr("sys.stdin", mock.Mock(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _prompt: answer)
    with nullcontext() if is_erased else pytest.raises(CommandError, match="Nothing was erased") as error:
        call_command("erase_staff", "rosa.diaz", "--hotel", hotel.slug)
    assert error is None or error.value.returncode == 1
    with hotel_context(hotel):
        assert User.objects.filter(username="rosa.diaz").exists() is not is_erased


@pytest.mark.django_db(transaction=True)
def test_erasure_of_staff_is_repeated_when_a_backup_from_before_the_erasure_is_restored(
    tmp_path: Path, guest_called: EventType
) -> None:
    hotel = create_hotel(slug="sol", name="Sol")
    with hotel_context(hotel):
        user = User.objects.create_user(username="rosa.diaz", password=None, role=Role.MANAGER)
        act_as(user, guest_called)
    file = tmp_path / "sol.hotel"
    backups.backup(file, "sol")
    erase(hotel)
    for slug in ("sol-copy", "sol"):
        if slug == "sol":
            backups.delete(hotel)
        restored = backups.get_hotel(backups.restore(file, slug=slug)["slug"])
        with hotel_context(restored):
            assert Event.objects.filter(event="guest.called").count() == 4
            assert "rosa" not in stored_text()
