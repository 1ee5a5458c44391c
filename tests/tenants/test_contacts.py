"""Tests of guest contacts: normalization, uniqueness across hotels, and the lookup of the hotel that has a contact."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from hypothesis import given
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


def resolved_slug(kind: ContactKind, value: str) -> str | None:
    """Return the slug of the active hotel that the contact belongs to, or None if there is no such hotel."""
    with platform_context():
        try:
            return contacts.resolve_contact(kind=kind, value=value).slug
        except ContactNotFound:
            return None


def contact_events() -> list[tuple[str, str, Any]]:
    with platform_context():
        events = Event.objects.filter(event__startswith="contact.").order_by("id")
        return list(events.values_list("event", "subject_id", "data"))


@pytest.mark.parametrize(
    ("kind", "text", "stored"),
    [
        (PHONE, "+34600123456", "+34600123456"),
        (PHONE, " +34 600-123-456 ", "+34600123456"),
        (PHONE, "+34 (600) 12.34.56", "+34600123456"),
        (PHONE, "tel:+34-600-123-456", "+34600123456"),
        (PHONE, "+39 06 698 12345", "+390669812345"),  # Italian landline numbers keep the first zero
        (PHONE, "\N{FULLWIDTH PLUS SIGN}34 600 123 456", "+34600123456"),
        (PHONE, "+44 (0)7700 900123", "+447700900123"),
        (PHONE, "+52 55 1234 5678", "+525512345678"),
        (PHONE, "+5215512345678", "+525512345678"),
        (PHONE, "+55 11 98765-4321", "+5511987654321"),
        (PHONE, "+551187654321", "+5511987654321"),
        (PHONE, "+55 (011) 98765-4321", "+5511987654321"),
        (PHONE, "+55 11 2345-6789", "+551123456789"),  # landline numbers have eight digits
        (PHONE, "+54 9 11 2345-6789", "+541123456789"),
        (PHONE, "+54 11 2345-6789", "+541123456789"),
        (PHONE, "+54 11 15 2345-6789", "+541123456789"),
        (PHONE, "+54 9 11 15 2345-6789", "+541123456789"),
        (PHONE, "+54 351 15 234-5678", "+543512345678"),
        (PHONE, "+54 2966 15 42-1234", "+542966421234"),
        (PHONE, "+39 6 698 12345", "+390669812345"),
        (PHONE, "+39 333 123 4567", "+393331234567"),
        (PHONE, "+39 0333 123 4567", "+393331234567"),
        (PHONE, "+39 800 123456", "+39800123456"),  # toll-free numbers have no zero after +39
        (EMAIL, " Guest@Example.COM ", "guest@example.com"),
        (EMAIL, "Guest+Sol@example.com", "guest+sol@example.com"),
        (EMAIL, "Anna@MÜNCHEN.example", "anna@xn--mnchen-3ya.example"),
        (EMAIL, "anna@faß.example", "anna@xn--fa-hia.example"),
        (EMAIL, "anna@XN--MNCHEN-3YA.example", "anna@xn--mnchen-3ya.example"),
    ],
)
def test_normalized_contact_is_the_same_for_all_spellings(kind: ContactKind, text: str, stored: str) -> None:
    assert contacts.normalize_contact(kind=kind, value=text) == stored
    assert contacts.normalize_contact(kind=kind, value=stored) == stored


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("+52 55 1234 5678", "+5215512345678"),
        ("+55 11 98765-4321", "+551187654321"),
        ("+54 9 11 2345-6789", "+541123456789"),
        ("+54 11 6677 3399", "+5491166773399"),
        ("+44 7700 900123", "+44 (0)7700 900123"),
        ("+39 06 698 12345", "+39 6 698 12345"),
    ],
)
@pytest.mark.django_db
def test_phone_number_in_any_notation_resolves_to_its_hotel(
    hotel: Hotel, other_hotel: Hotel, stored: str, asked: str
) -> None:
    add(hotel, PHONE, stored)
    assert resolved_slug(PHONE, asked) == hotel.slug
    with pytest.raises(ContactConflict):
        add(other_hotel, PHONE, asked)


@pytest.mark.parametrize(
    ("kind", "text"),
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
        (EMAIL, "\u212aate@example.com"),  # the lowercase of the Kelvin sign is the letter k
        (EMAIL, "josé@example.com"),
        (EMAIL, "guest\0@example.com"),
        (EMAIL, f"{'a' * 60}@{'ü' * 40}.{'b' * 60}.{'c' * 60}.{'d' * 40}.com"),  # the ASCII form is too long
        (EMAIL, ""),
    ],
)  # fmt: skip
def test_normalization_of_an_invalid_value_raises_invalid_contact(kind: ContactKind, text: str) -> None:
    with pytest.raises(InvalidContact) as error:
        contacts.normalize_contact(kind=kind, value=text)
    assert not text or text not in error.value.detail


@given(
    kind=st.sampled_from(ContactKind),
    text=st.text(max_size=40) | st.emails() | st.from_regex(r"\+(52|54|55|39)[0-9]{6,13}", fullmatch=True),
)
def test_normalization_of_a_normalized_contact_changes_nothing(kind: ContactKind, text: str) -> None:
    try:
        stored = contacts.normalize_contact(kind=kind, value=text)
    except InvalidContact:
        return
    assert contacts.normalize_contact(kind=kind, value=stored) == stored


@pytest.mark.parametrize(
    "value", ["Guest@example.com", "guest", "600123456", "+34 600", "guest @example.com"]
)
@pytest.mark.parametrize("kind", ContactKind)
def test_database_rejects_values_that_are_not_normalized(
    platform: None, hotel: Hotel, kind: str, value: str
) -> None:
    with pytest.raises(IntegrityError, match="tenants_contact_normalized"):
        ContactIdentifier.objects.create(hotel=hotel, kind=kind, value=value)


@pytest.mark.django_db
def test_contact_resolves_to_its_hotel_until_the_contact_is_removed(hotel: Hotel) -> None:
    contact, is_new = add(hotel, PHONE, "+34 600 123 456")
    assert (is_new, contact.value, contact.hotel_id) == (True, "+34600123456", hotel.id)
    assert resolved_slug(PHONE, "+34-600-123-456") == hotel.slug
    assert resolved_slug(EMAIL, "guest@example.com") is None
    contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)
    assert resolved_slug(PHONE, "+34600123456") is None
    with pytest.raises(ContactNotFound):
        contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)


@pytest.mark.django_db
def test_contact_of_a_suspended_hotel_stays_reserved_and_is_not_resolved(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    add(hotel, EMAIL, "guest@example.com")
    services.suspend_hotel(hotel_id=hotel.id)
    assert resolved_slug(EMAIL, "guest@example.com") is None
    with pytest.raises(ContactConflict):
        add(other_hotel, EMAIL, "guest@example.com")
    services.resume_hotel(hotel_id=hotel.id)
    assert resolved_slug(EMAIL, "guest@example.com") == hotel.slug


@pytest.mark.django_db
def test_adding_a_contact_again_changes_nothing_and_records_no_event(
    hotel: Hotel,
) -> None:
    first, _ = add(hotel, EMAIL, "guest@example.com")
    again, is_new = add(hotel, EMAIL, "GUEST@example.com")
    assert (again.id, again.created_at, is_new) == (first.id, first.created_at, False)
    assert len(contact_events()) == 1


@pytest.mark.django_db
def test_contact_conflict_does_not_name_the_hotel_that_has_the_contact(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    mine, _ = add(hotel, EMAIL, "guest@example.com")
    with pytest.raises(ContactConflict) as error:
        add(other_hotel, EMAIL, "Guest@Example.com")
    text = f"{error.value.detail} {error.value.extra}"
    for word in (hotel.slug, hotel.name, str(hotel.id), "guest@example.com"):
        assert word not in text
    with pytest.raises(ContactNotFound):
        contacts.remove_contact(hotel_id=other_hotel.id, contact_id=mine.id)
    assert resolved_slug(EMAIL, "guest@example.com") == hotel.slug
    assert len(contact_events()) == 1


@pytest.mark.django_db
def test_audit_events_of_contacts_contain_the_kind_but_not_the_email_address(hotel: Hotel) -> None:
    contact, _ = add(hotel, EMAIL, "guest@example.com")
    contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id)
    data = {"slug": hotel.slug, "kind": "email"}
    assert contact_events() == [
        ("contact.added", str(contact.id), data),
        ("contact.removed", str(contact.id), data),
    ]


@pytest.mark.django_db
def test_contact_services_with_an_unknown_hotel_raise_hotel_not_found() -> None:
    for call in (
        lambda: contacts.add_contact(hotel_id=uuid7(), kind=EMAIL, value="guest@example.com"),
        lambda: contacts.remove_contact(hotel_id=uuid7(), contact_id=uuid7()),
    ):
        with pytest.raises(HotelNotFound):
            call()


@pytest.mark.django_db
def test_hotel_can_read_its_own_contacts_but_not_write_them(hotel: Hotel, other_hotel: Hotel) -> None:
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
    """Call `first` in a transaction and `second` in a thread, and wait until `second` waits for a lock.

    Then commit the transaction. Return the result of `second` or the type of its error.
    """
    results: list[object] = []

    def run() -> None:
        try:
            results.append(second())
        except DomainError as error:
            results.append(type(error))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with platform_context(), transaction.atomic():
        first()
        thread.start()
        while not is_blocking():
            assert thread.is_alive()
    thread.join(20)
    return results[0]


def is_blocking() -> bool:
    """Return whether another connection waits for a lock that this connection holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_adding_a_contact_to_two_hotels_concurrently_fails_for_the_second_hotel(
    hotel: Hotel, other_hotel: Hotel
) -> None:
    result = race(
        lambda: add(hotel, EMAIL, "guest@example.com"),
        lambda: add(other_hotel, EMAIL, "GUEST@example.com"),
    )
    assert result is ContactConflict
    assert resolved_slug(EMAIL, "guest@example.com") == hotel.slug
    assert len(contact_events()) == 1


@pytest.mark.django_db(transaction=True)
def test_adding_a_contact_twice_concurrently_creates_one_contact(hotel: Hotel) -> None:
    def add_phone() -> bool:
        return add(hotel, PHONE, "+34600123456")[1]

    assert race(add_phone, add_phone) is False
    assert len(contact_events()) == 1


@pytest.mark.django_db(transaction=True)
def test_adding_a_contact_that_another_hotel_is_removing_succeeds(hotel: Hotel, other_hotel: Hotel) -> None:
    contact, _ = add(hotel, EMAIL, "guest@example.com")
    result = race(
        lambda: contacts.remove_contact(hotel_id=hotel.id, contact_id=contact.id),
        lambda: add(other_hotel, EMAIL, "guest@example.com")[1],
    )
    assert result is True
    assert resolved_slug(EMAIL, "guest@example.com") == other_hotel.slug


@pytest.mark.django_db(transaction=True)
def test_adding_a_contact_during_the_hotels_deletion_raises_hotel_not_found() -> None:
    with platform_context():
        leaving = Hotel.objects.create(slug="leaving", name="Leaving", schema="hotel_leaving")
    result = race(
        lambda: Hotel.objects.filter(id=leaving.id).delete(),
        lambda: add(leaving, EMAIL, "guest@example.com"),
    )
    assert result is HotelNotFound


@pytest.mark.django_db(transaction=True)
def test_deletion_of_a_hotel_deletes_its_contacts() -> None:
    sol = services.create_hotel(slug="sol", name="Hotel Sol")
    add(sol, EMAIL, "guest@example.com")
    services.suspend_hotel(hotel_id=sol.id)
    certificate = deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    assert certificate.shared["tenants_contactidentifier"] == 1
    assert resolved_slug(EMAIL, "guest@example.com") is None
    with pytest.raises(HotelNotFound):
        add(sol, EMAIL, "guest@example.com")
    luna = services.create_hotel(slug="luna", name="Hotel Luna")
    assert add(luna, EMAIL, "guest@example.com")[1]
