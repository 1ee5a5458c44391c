"""Guests' phones and e-mails: one form, one hotel each, and what finds the hotel by them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import Event
from hotelagent.core.ids import uuid7
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.errors import ContactConflict, ContactNotFound, DomainError, HotelNotFound, InvalidContact
from tenants.lifecycle import deletion
from tenants.models import ContactIdentifier, ContactKind, Hotel
from tenants.services import contacts

EMAIL, PHONE = ContactKind.EMAIL, ContactKind.PHONE


def add(hotel: Hotel, kind: ContactKind, value: str) -> tuple[ContactIdentifier, bool]:
    return contacts.add_contact(hotel_id=hotel.id, kind=kind, value=value)


def found(kind: ContactKind, value: str) -> str | None:
    """The slug of the hotel that it leads to."""
    with platform_context():
        try:
            return contacts.resolve_contact(kind=kind, value=value).slug
        except ContactNotFound:
            return None


def events() -> list[tuple[str, str, Any]]:
    with platform_context():
        told = Event.objects.filter(event__startswith="contact.").order_by("id")
        return list(told.values_list("event", "subject_id", "data"))


@pytest.mark.parametrize(
    ("kind", "written", "stored"),
    [
        (PHONE, "+34600123456", "+34600123456"),
        (PHONE, " +34 600-123-456 ", "+34600123456"),
        (PHONE, "+34 (600) 12.34.56", "+34600123456"),
        (PHONE, "tel:+34-600-123-456", "+34600123456"),
        (PHONE, "+39 06 698 12345", "+390669812345"),  # an Italian zero is part of the number
        (PHONE, "\N{FULLWIDTH PLUS SIGN}34 600 123 456", "+34600123456"),
        (EMAIL, " Guest@Example.COM ", "guest@example.com"),
        (EMAIL, "Guest+Sol@example.com", "guest+sol@example.com"),
        (EMAIL, "Anna@MÜNCHEN.example", "anna@xn--mnchen-3ya.example"),
        (EMAIL, "anna@XN--MNCHEN-3YA.example", "anna@xn--mnchen-3ya.example"),
    ],
)
def test_it_is_stored_in_one_form(kind: ContactKind, written: str, stored: str) -> None:
    assert contacts.normalize_contact(kind=kind, value=written) == stored
    assert contacts.normalize_contact(kind=kind, value=stored) == stored


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (PHONE, "611 222 333"),
        (PHONE, "+34 7"),
        (PHONE, "+999 600 123 456"),
        (PHONE, "guest@example.com"),
        (PHONE, ""),
        (EMAIL, "+34600123456"),
        (EMAIL, "guest@example"),
        (EMAIL, "@example.com"),
        (EMAIL, "guest@exa mple.com"),
        (EMAIL, "guest@example..com"),
        (EMAIL, "\u212aate@example.com"),  # a Kelvin sign, whose lower case is a k
        (EMAIL, "josé@example.com"),
        (EMAIL, "guest\0@example.com"),
        (EMAIL, f"{'a' * 60}@{'ü' * 40}.{'b' * 60}.{'c' * 60}.{'d' * 40}.com"),  # longer in the DNS than as written
        (EMAIL, ""),
    ],
)  # fmt: skip
def test_what_is_no_phone_and_no_email_is_refused(kind: ContactKind, written: str) -> None:
    with pytest.raises(InvalidContact) as refused:
        contacts.normalize_contact(kind=kind, value=written)
    assert not written or written not in refused.value.detail


@settings(max_examples=300)
@given(kind=st.sampled_from(ContactKind), written=st.text(max_size=40) | st.emails())
def test_whatever_is_written_has_one_form_or_none(kind: ContactKind, written: str) -> None:
    try:
        stored = contacts.normalize_contact(kind=kind, value=written)
    except InvalidContact:
        return
    assert contacts.normalize_contact(kind=kind, value=stored) == stored


@pytest.mark.parametrize(
    "value", ["Guest@example.com", "guest", "600123456", "+34 600", "guest @example.com"]
)
@pytest.mark.parametrize("kind", ContactKind)
def test_the_database_takes_no_other_form(platform: None, hotel: Hotel, kind: str, value: str) -> None:
    with pytest.raises(IntegrityError, match="tenants_contact_normalized"):
        ContactIdentifier.objects.create(hotel=hotel, kind=kind, value=value)


@pytest.mark.django_db
def test_it_finds_the_hotel_until_it_is_removed(hotel: Hotel) -> None:
    contact, is_new = add(hotel, PHONE, "+34 600 123 456")
    assert (is_new, contact.value, contact.hotel_id) == (True, "+34600123456", hotel.id)
    assert found(PHONE, "+34-600-123-456") == hotel.slug
    assert found(EMAIL, "guest@example.com") is None
    contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)
    assert found(PHONE, "+34600123456") is None
    with pytest.raises(ContactNotFound):
        contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)


@pytest.mark.django_db
def test_a_suspended_hotel_is_not_found_and_keeps_its_contacts(hotel: Hotel, other_hotel: Hotel) -> None:
    add(hotel, EMAIL, "guest@example.com")
    services.suspend_hotel(hotel_id=hotel.id)
    assert found(EMAIL, "guest@example.com") is None
    with pytest.raises(ContactConflict):
        add(other_hotel, EMAIL, "guest@example.com")
    services.resume_hotel(hotel_id=hotel.id)
    assert found(EMAIL, "guest@example.com") == hotel.slug


@pytest.mark.django_db
def test_adding_it_again_changes_nothing_and_tells_nothing(hotel: Hotel) -> None:
    first, _ = add(hotel, EMAIL, "guest@example.com")
    again, is_new = add(hotel, EMAIL, "GUEST@example.com")
    assert (again.id, again.created_at, is_new) == (first.id, first.created_at, False)
    assert len(events()) == 1


@pytest.mark.django_db
def test_another_hotels_contact_is_refused_and_nobody_is_told_whose(hotel: Hotel, other_hotel: Hotel) -> None:
    mine, _ = add(hotel, EMAIL, "guest@example.com")
    with pytest.raises(ContactConflict) as refused:
        add(other_hotel, EMAIL, "Guest@Example.com")
    told = f"{refused.value.detail} {refused.value.extra}"
    for word in (hotel.slug, hotel.name, str(hotel.id), "guest@example.com"):
        assert word not in told
    with pytest.raises(ContactNotFound):
        contacts.remove_contact(hotel_id=other_hotel.id, contact_id=mine.id)
    assert found(EMAIL, "guest@example.com") == hotel.slug
    assert len(events()) == 1


@pytest.mark.django_db
def test_the_trail_says_who_and_which_kind_and_not_what(hotel: Hotel) -> None:
    contact, _ = add(hotel, EMAIL, "guest@example.com")
    contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)
    data = {"slug": hotel.slug, "kind": "email"}
    assert events() == [
        ("contact.added", str(contact.id), data),
        ("contact.removed", str(contact.id), data),
    ]


@pytest.mark.django_db
def test_there_must_be_such_a_hotel() -> None:
    for act in (
        lambda: contacts.add_contact(hotel_id=uuid7(), kind=EMAIL, value="guest@example.com"),
        lambda: contacts.remove_contact(hotel_id=uuid7(), contact_id=uuid7()),
    ):
        with pytest.raises(HotelNotFound):
            act()


@pytest.mark.django_db
def test_a_hotel_reads_its_own_contacts_and_writes_none(hotel: Hotel, other_hotel: Hotel) -> None:
    mine, _ = add(hotel, EMAIL, "mine@example.com")
    add(other_hotel, EMAIL, "theirs@example.com")
    with hotel_context(hotel):
        assert [contact.id for contact in ContactIdentifier.objects.all()] == [mine.id]
        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM public.tenants_contactidentifier")
            assert cursor.fetchall() == [("mine@example.com",)]
        for write in (
            lambda: ContactIdentifier.objects.update(value="other@example.com"),
            lambda: ContactIdentifier.objects.filter(id=mine.id).delete(),
            lambda: ContactIdentifier.objects.create(hotel_id=hotel.id, kind="email", value="x@example.com"),
        ):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                write()


def race(first: Callable[[], object], second: Callable[[], object]) -> object:
    """What the second came to, begun while the first one's transaction is open, and waiting for it."""
    came_to: list[object] = []

    def run() -> None:
        try:
            came_to.append(second())
        except DomainError as refused:
            came_to.append(type(refused))
        finally:
            connection.close()

    rival = threading.Thread(target=run)
    with platform_context(), transaction.atomic():
        first()
        rival.start()
        while not somebody_waits():
            assert rival.is_alive()
    rival.join(20)
    return came_to[0]


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_of_two_hotels_that_add_it_at_once_one_has_it(hotel: Hotel, other_hotel: Hotel) -> None:
    came_to = race(
        lambda: add(hotel, EMAIL, "guest@example.com"),
        lambda: add(other_hotel, EMAIL, "GUEST@example.com"),
    )
    assert came_to is ContactConflict
    assert found(EMAIL, "guest@example.com") == hotel.slug
    assert len(events()) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_that_add_it_to_one_hotel_at_once_one_makes_it(hotel: Hotel) -> None:
    def act() -> bool:
        return add(hotel, PHONE, "+34600123456")[1]

    assert race(act, act) is False
    assert len(events()) == 1


@pytest.mark.django_db(transaction=True)
def test_one_that_is_removed_meanwhile_is_free(hotel: Hotel, other_hotel: Hotel) -> None:
    contact, _ = add(hotel, EMAIL, "guest@example.com")
    came_to = race(
        lambda: contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id),
        lambda: add(other_hotel, EMAIL, "guest@example.com")[1],
    )
    assert came_to is True
    assert found(EMAIL, "guest@example.com") == other_hotel.slug


@pytest.mark.django_db(transaction=True)
def test_a_hotel_that_is_erased_meanwhile_gets_none() -> None:
    with platform_context():
        leaving = Hotel.objects.create(slug="leaving", name="Leaving", schema="hotel_leaving")
    came_to = race(
        lambda: Hotel.objects.filter(id=leaving.id).delete(),
        lambda: add(leaving, EMAIL, "guest@example.com"),
    )
    assert came_to is HotelNotFound


@pytest.mark.django_db(transaction=True)
def test_with_the_hotel_its_contacts_are_erased() -> None:
    sol = services.create_hotel(slug="sol", name="Hotel Sol")
    add(sol, EMAIL, "guest@example.com")
    services.suspend_hotel(hotel_id=sol.id)
    certificate = deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    assert certificate.shared["tenants_contactidentifier"] == 1
    assert found(EMAIL, "guest@example.com") is None
    with pytest.raises(HotelNotFound):
        add(sol, EMAIL, "guest@example.com")
    luna = services.create_hotel(slug="luna", name="Hotel Luna")
    assert add(luna, EMAIL, "guest@example.com")[1]
