"""What can be done to hotels. Each enters the platform's context by itself and is one transaction."""

import itertools
from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.errors import DomainConflict, HotelNotFound, HotelStateError, InvalidDomain, SlugConflict
from tenants.lifecycle import naming, provisioning
from tenants.models import Domain, Hotel, HotelStatus
from tenants.queue import due
from tenants.queue.celery_task import send_on_commit
from tenants.signals import domain_added, domain_removed, hotel_renamed, hotel_resumed, hotel_suspended


def create_hotel(
    *,
    slug: str,
    name: str,
    time_zone: str = "UTC",
    language: str = "en",
    email: str = "",
    domains: Iterable[str] = (),
) -> Hotel:
    """A hotel that answers on its host when this returns; nothing of it is stored when this raises.

    Takes the direct route, so it can't be called inside an atomic() of the runtime route.
    Raises InvalidSlug, SlugConflict, InvalidDomain, DomainConflict, SchemaTemplateNotFound, ProvisioningFailed.
    """
    with (
        direct_connection(),
        platform_context(),
        provisioning.wrap_provisioning_errors(),
        transaction.atomic(),
    ):
        hotel = _register(
            slug=slug, name=name, time_zone=time_zone, language=language, email=email, domains=domains
        )
        return provisioning.build_hotel(hotel)


def register_hotel(
    *,
    slug: str,
    name: str,
    time_zone: str = "UTC",
    language: str = "en",
    email: str = "",
    domains: Iterable[str] = (),
) -> Hotel:
    """Ask for a hotel: its row is there with status `provisioning`, a task makes the rest.

    It is not routed before it is whole. Raises as create_hotel does, but for what making it may raise.
    """
    with platform_context(), transaction.atomic():
        hotel = _register(
            slug=slug, name=name, time_zone=time_zone, language=language, email=email, domains=domains
        )
        send_on_commit("tenants.tasks.provision_hotel", str(hotel.id))
        return hotel


def suspend_hotel(*, hotel_id: UUID) -> Hotel:
    """Close an active hotel: its host answers 503 within a second and no task of it runs. Data stays."""
    with platform_context(), transaction.atomic():
        hotel = _change_status(hotel_id, HotelStatus.ACTIVE, HotelStatus.SUSPENDED)
        due.pause_hotel(hotel_id=hotel.id)
        hotel_suspended.send(Hotel, hotel=hotel, detail={})
        return hotel


def resume_hotel(*, hotel_id: UUID) -> Hotel:
    """Open a suspended hotel again. What became due meanwhile is handed out at the next tick."""
    with platform_context(), transaction.atomic():
        hotel = _change_status(hotel_id, HotelStatus.SUSPENDED, HotelStatus.ACTIVE)
        due.resume_hotel(hotel_id=hotel.id)
        hotel_resumed.send(Hotel, hotel=hotel, detail={})
        return hotel


def rename_hotel(*, hotel_id: UUID, slug: str) -> Hotel:
    """Give a hotel another slug: the old host is unknown within a second. Schema and role keep their names."""
    wanted = naming.valid_slug(slug)
    with platform_context(), transaction.atomic():
        hotel = locked_hotel(hotel_id)
        before, hotel.slug = hotel.slug, wanted
        _refuse_taken_slug(wanted, but=hotel.id)
        hotel.save(update_fields=["slug"])
        hotel_renamed.send(Hotel, hotel=hotel, detail={"before": before, "after": wanted})
        return hotel


def add_domain(*, hotel_id: UUID, host: str) -> Domain:
    with platform_context(), transaction.atomic():
        hotel = locked_hotel(hotel_id)
        domain = _add_domains(hotel, [host])[0]
        domain_added.send(Hotel, hotel=hotel, detail={"host": domain.host})
        return domain


def remove_domain(*, hotel_id: UUID, host: str) -> None:
    with platform_context(), transaction.atomic():
        hotel = locked_hotel(hotel_id)
        lowered = host.strip().lower()
        if not Domain.objects.filter(hotel=hotel, host=lowered).delete()[0]:
            raise InvalidDomain(f"{hotel.slug} has no domain {host!r}.", host=host)
        domain_removed.send(Hotel, hotel=hotel, detail={"host": lowered})


def readdress_hotel(
    *, hotel_id: UUID, slug: str | None = None, domains: Iterable[str] | None = None
) -> Hotel:
    """Give a hotel another slug, exactly these domains, or both: all of it or nothing. None leaves it as it is."""
    with platform_context(), transaction.atomic():
        hotel = locked_hotel(hotel_id)
        if slug is not None and naming.valid_slug(slug) != hotel.slug:
            rename_hotel(hotel_id=hotel_id, slug=slug)
        if domains is not None:
            wanted = {naming.valid_domain(host) for host in domains}
            present = set(hotel.domains.values_list("host", flat=True))
            for host in sorted(present - wanted):
                remove_domain(hotel_id=hotel_id, host=host)
            for host in sorted(wanted - present):
                add_domain(hotel_id=hotel_id, host=host)
        return Hotel.objects.prefetch_related("domains").get(id=hotel_id)


def _register(
    *, slug: str, name: str, time_zone: str, language: str, email: str, domains: Iterable[str]
) -> Hotel:
    wanted = naming.valid_slug(slug)
    _refuse_taken_slug(wanted)
    schema = free_schema(naming.schema_name(wanted))
    hotel = Hotel(slug=wanted, name=name, schema=schema, time_zone=time_zone, language=language, email=email)
    hotel.full_clean(validate_unique=False, validate_constraints=False)
    try:
        hotel.save(force_insert=True)  # the caller's transaction ends with the error, so no savepoint
    except IntegrityError:
        raise SlugConflict(f"Another hotel is called {wanted!r}.", slug=wanted) from None
    _add_domains(hotel, domains)
    return hotel


def _add_domains(hotel: Hotel, hosts: Iterable[str]) -> list[Domain]:
    added = []
    for host in hosts:
        domain = Domain(hotel=hotel, host=naming.valid_domain(host))
        try:
            domain.save(force_insert=True)
        except IntegrityError:
            raise DomainConflict(
                f"{domain.host} leads to another hotel, or to this one already.", host=host
            ) from None
        added.append(domain)
    return added


def free_schema(base: str) -> str:
    """`base`, or it with a number: a schema without a hotel (of an interrupted restore, say) is not taken over."""
    with connection.cursor() as cursor:
        for number in itertools.count(1):
            schema = base if number == 1 else f"{base}_{number}"
            cursor.execute(
                "SELECT to_regnamespace(%s) IS NOT NULL OR EXISTS (SELECT FROM tenants_hotel WHERE schema = %s)",
                [schema, schema],
            )
            if not cursor.fetchone()[0]:
                return schema
    raise AssertionError


def locked_hotel(hotel_id: UUID) -> Hotel:
    """It stays as it is until the caller's transaction ends. Raises HotelNotFound."""
    hotel = Hotel.objects.select_for_update().filter(id=hotel_id).first()
    if hotel is None:
        raise HotelNotFound
    return hotel


def _refuse_taken_slug(slug: str, *, but: UUID | None = None) -> None:
    others = Hotel.objects.filter(slug=slug)
    if (others.exclude(id=but) if but else others).exists():
        raise SlugConflict(f"Another hotel is called {slug!r}.", slug=slug)


def _change_status(hotel_id: UUID, before: HotelStatus, after: HotelStatus) -> Hotel:
    changed = Hotel.objects.filter(id=hotel_id, status=before).update(status=after)
    hotel = Hotel.objects.filter(id=hotel_id).first()
    if hotel is None:
        raise HotelNotFound
    if changed != 1:
        raise HotelStateError(
            f"{hotel.slug} is {hotel.status}; only a hotel that is {before} can become {after}.",
            status=hotel.status,
        )
    return hotel
