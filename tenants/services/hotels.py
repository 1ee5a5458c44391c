"""Operations on hotels and their domains. Each function enters the platform's context and runs one transaction."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F, Func, Value
from django.utils.translation import gettext as _

from tenants.access.invitations import store_invitation
from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.errors import (
    DomainConflict,
    DomainNotFound,
    HotelNotFound,
    HotelStateError,
    InvalidTimeZone,
    SlugConflict,
)
from tenants.lifecycle import naming, provisioning, spare_roles
from tenants.models import Domain, Hotel, HotelStatus, ManagerInvitation
from tenants.queue.celery_task import send_on_commit
from tenants.signals import (
    domain_added,
    domain_removed,
    hotel_changed,
    hotel_registered,
    hotel_renamed,
    manager_invited,
)


def create_hotel(
    *,
    slug: str,
    name: str,
    time_zone: str = "UTC",
    language: str = "en",
    email: str = "",
    domains: Iterable[str] = (),
    manager_email: str = "",
) -> Hotel:
    """Create and provision a hotel. The hotel is served at its host names when this function returns.

    The first manager is invited at `manager_email`, unless it is empty.

    Uses the direct connection, so the function cannot be called inside an atomic() block of the runtime connection. If
    an error is raised, nothing was created. Raises InvalidSlug, SlugConflict, InvalidTimeZone, InvalidDomain,
    DomainConflict, SchemaTemplateNotFound, ProvisioningFailed.
    """
    with (
        direct_connection(),
        platform_context(),
        provisioning.wrap_provisioning_errors(),
        transaction.atomic(),
    ):
        hotel = _insert_hotel(
            slug=slug, name=name, time_zone=time_zone, language=language, email=email, domains=domains
        )
        if manager_email:
            store_invitation(hotel, email=manager_email)
        hotel = provisioning.build_hotel(hotel)
        if manager_email:
            manager_invited.send(Hotel, hotel=hotel, detail={})
        return hotel


def register_hotel(
    *,
    slug: str,
    name: str,
    time_zone: str = "UTC",
    language: str = "en",
    email: str = "",
    domains: Iterable[str] = (),
    manager_email: str = "",
) -> Hotel:
    """Store a hotel with the status `provisioning` and send the task that provisions it.

    The hotel is served when the task is done. The first manager is then invited at `manager_email`, unless it is empty.

    Raises InvalidSlug, SlugConflict, InvalidTimeZone, InvalidDomain,
    DomainConflict.
    """
    with platform_context(), transaction.atomic():
        hotel = _insert_hotel(
            slug=slug, name=name, time_zone=time_zone, language=language, email=email, domains=domains
        )
        hotel_registered.send(Hotel, hotel=hotel, detail={"schema": hotel.schema})
        if manager_email:
            store_invitation(hotel, email=manager_email)
            manager_invited.send(Hotel, hotel=hotel, detail={})
        send_on_commit("tenants.tasks.provision_hotel", str(hotel.id))
        return hotel


def update_hotel(*, hotel_id: UUID, slug: str, name: str, time_zone: str, language: str, email: str) -> Hotel:
    """Update the hotel's properties. Raises HotelNotFound, InvalidSlug, SlugConflict, InvalidTimeZone."""
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        if naming.valid_slug(slug) != hotel.slug:
            hotel = rename_hotel(hotel_id=hotel_id, slug=slug)
        properties = {"name": name, "time_zone": time_zone, "language": language, "email": email}
        before = {name: getattr(hotel, name) for name in properties}
        changed = [name for name, value in properties.items() if value != before[name]]
        for changed_name in changed:
            setattr(hotel, changed_name, properties[changed_name])
        hotel.clean_fields()
        if "time_zone" in changed:
            _check_time_zone(time_zone)
        if changed:
            hotel.save(update_fields=changed)
            hotel_changed.send(Hotel, hotel=hotel, detail=_change_detail(changed, before, properties))
        return hotel


def _change_detail(changed: list[str], before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
    """Return the names of the changed properties, and their values except for the e-mail address, which is personal."""
    shown = [name for name in changed if name != "email"]
    return {
        "changed": changed,
        "before": {name: before[name] for name in shown},
        "after": {name: after[name] for name in shown},
    }


def invite_manager(*, hotel_id: UUID, email: str) -> ManagerInvitation:
    """Invite the first manager of a hotel by e-mail, or send the invitation again. Older links are no longer valid.

    Raises HotelNotFound, HotelStateError if the hotel is suspended, and ManagerConflict.
    """
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        if hotel.status not in {HotelStatus.PROVISIONING, HotelStatus.ACTIVE}:
            raise HotelStateError(
                _("{hotel} is suspended. Lift the suspension first.").format(hotel=hotel.name),
                hotel_status=hotel.status,
            )
        invitation = store_invitation(hotel, email=email)
        manager_invited.send(Hotel, hotel=hotel, detail={})
        return invitation


def rename_hotel(*, hotel_id: UUID, slug: str) -> Hotel:
    """Change the hotel's slug. The schema and the role keep their names.

    All processes use the new host name within a second after the change. Links to the old host name in e-mails to
    guests still work until another hotel uses that name (`former_hosts`). Raises HotelNotFound, InvalidSlug,
    SlugConflict.
    """
    new_slug = naming.valid_slug(slug)
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        old_slug, hotel.slug = hotel.slug, new_slug
        if Hotel.objects.filter(slug=new_slug).exclude(id=hotel.id).exists():
            raise _slug_conflict(new_slug)
        _release_former_host(_slug_host(new_slug), hotel)
        hotel.former_hosts.append(_slug_host(old_slug))
        hotel.save(update_fields=["slug", "former_hosts"])
        hotel_renamed.send(Hotel, hotel=hotel, detail={"before": old_slug, "after": new_slug})
        return hotel


def add_domain(*, hotel_id: UUID, host: str) -> Domain:
    """Add a custom domain to a hotel. Raises HotelNotFound, InvalidDomain, DomainConflict."""
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        domain = _insert_domain(hotel, host)
        domain_added.send(Hotel, hotel=hotel, detail={"host": domain.host})
        return domain


def remove_domain(*, hotel_id: UUID, host: str) -> None:
    """Remove a custom domain from a hotel.

    Links to the domain in old e-mails work until the domain's DNS record changes or another hotel uses the domain.

    Raises HotelNotFound, DomainNotFound.
    """
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        host = host.strip().lower()
        if not Domain.objects.filter(hotel=hotel, host=host).delete()[0]:
            detail = _("{hotel} does not have the domain {domain}.").format(hotel=hotel.slug, domain=host)
            raise DomainNotFound(detail, host=host)
        hotel.former_hosts.append(host)
        hotel.save(update_fields=["former_hosts"])
        domain_removed.send(Hotel, hotel=hotel, detail={"host": host})


def update_hosts(*, hotel_id: UUID, slug: str | None = None, domains: Iterable[str] | None = None) -> Hotel:
    """Change the hotel's slug, replace its custom domains with `domains`, or both. None means no change.

    Runs in one transaction. Raises HotelNotFound, InvalidSlug, SlugConflict, InvalidDomain, DomainConflict. If an error
    is raised, nothing is changed.
    """
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        if slug is not None and naming.valid_slug(slug) != hotel.slug:
            rename_hotel(hotel_id=hotel_id, slug=slug)
        if domains is not None:
            requested = {naming.valid_domain(host) for host in domains}
            present = set(hotel.domains.values_list("host", flat=True))
            for host in sorted(present - requested):
                remove_domain(hotel_id=hotel_id, host=host)
            for host in sorted(requested - present):
                add_domain(hotel_id=hotel_id, host=host)
        return Hotel.objects.prefetch_related("domains").get(id=hotel_id)


def get_locked_hotel(hotel_id: UUID) -> Hotel:
    """Return the hotel and lock its row until the end of the caller's transaction. Raises HotelNotFound."""
    hotel = Hotel.objects.select_for_update().filter(id=hotel_id).first()
    if hotel is None:
        raise HotelNotFound
    return hotel


def _insert_hotel(
    *, slug: str, name: str, time_zone: str, language: str, email: str, domains: Iterable[str]
) -> Hotel:
    slug = naming.valid_slug(slug)
    if Hotel.objects.filter(slug=slug).exists():
        raise _slug_conflict(slug)
    schema = naming.free_schema_name(slug)
    hotel = Hotel(
        id=spare_roles.take_hotel_id(),
        slug=slug,
        name=name,
        schema=schema,
        time_zone=time_zone,
        language=language,
        email=email,
    )
    hotel.full_clean(validate_unique=False, validate_constraints=False)
    _check_time_zone(time_zone)
    _release_former_host(_slug_host(slug), hotel)
    try:
        # The INSERT needs no savepoint, because any error rolls back the caller's transaction.
        hotel.save(force_insert=True)
    except IntegrityError:
        raise _slug_conflict(slug) from None
    for host in domains:
        _insert_domain(hotel, host)
    return hotel


def _insert_domain(hotel: Hotel, host: str) -> Domain:
    domain = Domain(hotel=hotel, host=naming.valid_domain(host))
    _release_former_host(domain.host, hotel)
    try:
        domain.save(force_insert=True)
    except IntegrityError:
        detail = _(
            "The domain {domain} is already in use. Remove the domain from the hotel that uses it, or choose another "
            "domain."
        )
        raise DomainConflict(detail.format(domain=domain.host), host=host) from None
    return domain


def _check_time_zone(time_zone: str) -> None:
    """Raise InvalidTimeZone if PostgreSQL does not know the time zone, because acquiring holds would then fail."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT now() AT TIME ZONE %s", [time_zone])
    except DataError as error:
        raise InvalidTimeZone(
            _(
                "The database does not know the time zone {time_zone}. Choose another time zone with the same local "
                "time, or upgrade the database."
            ).format(time_zone=time_zone),
            time_zone=time_zone,
        ) from error


def _slug_host(slug: str) -> str:
    return f"{slug}.{settings.PLATFORM_HOST}"


def _release_former_host(host: str, new_user: Hotel) -> None:
    """Remove the host name from the `former_hosts` of all hotels, because the hotel `new_user` will use it."""
    former_hosts = Func(F("former_hosts"), Value(host), function="array_remove")
    Hotel.objects.filter(former_hosts__contains=[host]).update(former_hosts=former_hosts)
    if host in new_user.former_hosts:
        new_user.former_hosts.remove(host)


def _slug_conflict(slug: str) -> SlugConflict:
    return SlugConflict(
        _("The slug {slug} is already in use. Choose another slug.").format(slug=slug), slug=slug
    )
