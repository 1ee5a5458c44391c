"""Tests that model instances belong to the tenant that loaded or created them, and are refused in other tenants."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from dlq.models import Attempt, Failure
from locks.models import Room
from tenants.context import TenantMismatch, hotel_context, platform_context
from tenants.models import Domain, Hotel, User
from tenants.scopes import Role


def create_failure(name: str) -> Failure:
    failure = Failure.objects.create(
        is_task=False, name=name, payload={}, expires_at=timezone.now() + timedelta(days=1)
    )
    Attempt.objects.create(failure=failure, number=0)
    return failure


def loaded_attempt() -> Attempt:
    """Return the only `Attempt` of the current hotel. The related failure of the attempt is not loaded yet."""
    return Attempt.objects.get()


@pytest.fixture(autouse=True)
def failures(hotel: Hotel, other_hotel: Hotel) -> Iterator[None]:
    """Store one failed task in each of the hotels `hotel` and `other_hotel`. Each failed task has one attempt.

    The test runs in the context of `other_hotel`.
    """
    for owner in (hotel, other_hotel):
        with hotel_context(owner):
            create_failure(owner.slug)
    with hotel_context(other_hotel):
        yield


#: Functions that use model instances of one hotel. The tests call the functions in the context of another hotel.
CROSSINGS: dict[str, Callable[[Attempt, Failure, Room], Any]] = {
    "save": lambda _attempt, failure, _room: failure.save(),
    "save some fields": lambda _attempt, failure, _room: failure.save(update_fields=["name"]),
    "save with an alias": lambda _attempt, failure, _room: failure.save(using="default"),
    "delete": lambda _attempt, failure, _room: failure.delete(),
    "refresh_from_db": lambda _attempt, failure, _room: failure.refresh_from_db(),
    "lazy foreign key": lambda attempt, _failure, _room: attempt.failure,
    "reverse set": lambda _attempt, failure, _room: list(failure.attempts.all()),
    "create in a reverse set": lambda _attempt, failure, _room: failure.attempts.create(number=1),
    "assign a foreign key": lambda _attempt, failure, _room: setattr(Attempt(number=1), "failure", failure),
    "create with a foreign key": lambda _attempt, failure, _room: Attempt(failure=failure, number=1),
    "filter": lambda _attempt, failure, _room: Attempt.objects.filter(failure=failure),
    "filter with a list": lambda _attempt, failure, _room: Attempt.objects.filter(failure__in=[failure]),
    "bulk_create": lambda _attempt, _failure, room: Room.objects.bulk_create([room]),
    "bulk_update": lambda _attempt, failure, _room: Failure.objects.bulk_update([failure], ["name"]),
    "prefetch": lambda _attempt, failure, _room: prefetch_related_objects([failure], "attempts"),
    "prefetch a mixed list": lambda attempt, _failure, _room: prefetch_related_objects(
        [loaded_attempt(), attempt], "failure"
    ),
    "validate": lambda attempt, _failure, _room: attempt.validate_constraints(),
    "save a copy": lambda _attempt, failure, _room: copy.copy(failure).save(),
    "save an unpickled copy": lambda _attempt, failure, _room: pickle.loads(  # noqa: S301 - our own data
        pickle.dumps(failure)
    ).save(),
    "save a new instance": lambda _attempt, _failure, room: room.save(),
}


@pytest.mark.parametrize("use", CROSSINGS.values(), ids=CROSSINGS)
def test_use_of_a_model_instance_of_another_hotel_raises_tenant_mismatch(
    hotel: Hotel, use: Callable[..., Any]
) -> None:
    with hotel_context(hotel):
        attempt, failure, room = loaded_attempt(), Failure.objects.get(), Room(number="1", room_type="suite")
    with pytest.raises(TenantMismatch, match="belongs to the schema hotel_alpha"):
        use(attempt, failure, room)
    assert Failure.objects.get().name == "beta"
    assert Attempt.objects.count() == 1
    assert Room.objects.count() == 0


@pytest.mark.parametrize("use", CROSSINGS.values(), ids=CROSSINGS)
def test_model_instance_is_accepted_in_the_context_in_which_it_was_loaded(use: Callable[..., Any]) -> None:
    use(loaded_attempt(), Failure.objects.get(), Room(number="1", room_type="suite"))


def test_loading_a_deferred_field_of_an_instance_of_another_hotel_is_refused(hotel: Hotel) -> None:
    with hotel_context(hotel):
        failure = Failure.objects.only("id").get()
    with pytest.raises(TenantMismatch):
        _ = failure.name


def test_instance_from_an_iterator_belongs_to_the_hotel_that_was_queried(
    hotel: Hotel,
) -> None:
    with hotel_context(hotel):
        create_failure("alpha 2")
        rows = Failure.objects.order_by("name").iterator(chunk_size=1)
        next(rows)
    failure = next(rows)
    assert failure.name == "alpha 2"
    with pytest.raises(TenantMismatch):
        failure.save()
    with hotel_context(hotel):
        failure.save()


def test_iterator_that_prefetches_outside_its_hotels_context_raises_tenant_mismatch(
    hotel: Hotel,
) -> None:
    with hotel_context(hotel):
        create_failure("alpha 2")
        rows = Failure.objects.prefetch_related("attempts").order_by("name").iterator(chunk_size=1)
        assert next(rows).attempts.all()
    with pytest.raises(TenantMismatch):
        next(rows)


def test_model_instance_of_a_hotel_is_refused_in_the_platform_context(hotel: Hotel) -> None:
    with hotel_context(hotel):
        staff = User.objects.create_user(username="ana", password=None, role=Role.MANAGER)
    with platform_context(), pytest.raises(TenantMismatch):
        staff.save()


def test_instance_created_without_a_tenant_belongs_to_the_hotel_that_saves_it(hotel: Hotel) -> None:
    room = Room(number="1", room_type="suite")
    room._state.db = None
    with hotel_context(hotel):
        room.save()
    with pytest.raises(TenantMismatch):
        room.save()


def test_instance_created_in_a_hotel_can_be_saved_again_in_this_hotel() -> None:
    failure = create_failure("new")
    with transaction.atomic():
        failure.save()
    failure.refresh_from_db()
    assert failure.attempts.count() == 1


def test_instances_of_shared_models_are_accepted_in_every_context(hotel: Hotel, other_hotel: Hotel) -> None:
    with platform_context():
        domain = Domain.objects.create(hotel=hotel, host="alpha.example")
    with hotel_context(hotel):
        shared = Hotel.objects.get()
        shared.refresh_from_db()
    with platform_context():
        shared.save()
        assert list(shared.domains.all()) == [domain]
