"""Validation of slugs and domains, and the names of hotels' schemas."""

import itertools
import re

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from hotelagent.core.domains import ascii_domain
from tenants.errors import InvalidDomain, InvalidSlug

SLUG_LENGTH = 40
#: Slugs that hotels can't use, because the platform reserves them or common services have such host names.
RESERVED_SLUGS = frozenset(
    [
        "admin",
        "administrator",
        "api",
        "app",
        "apps",
        "assets",
        "auth",
        "autoconfig",
        "autodiscover",
        "billing",
        "blog",
        "cdn",
        "dashboard",
        "demo",
        "dev",
        "dns",
        "docs",
        "email",
        "flower",
        "ftp",
        "git",
        "grafana",
        "health",
        "help",
        "hostmaster",
        "hotel",
        "hotels",
        "imap",
        "internal",
        "localhost",
        "login",
        "mail",
        "manage",
        "media",
        "metrics",
        "mx",
        "noc",
        "ns",
        "ns1",
        "ns2",
        "pg",
        "platform",
        "pop",
        "postmaster",
        "prometheus",
        "public",
        "resolve",
        "root",
        "security",
        "sentry",
        "signup",
        "smtp",
        "ssl",
        "staff",
        "staging",
        "static",
        "status",
        "support",
        "sysadmin",
        "system",
        "template",
        "test",
        "tests",
        "webmail",
        "webmaster",
        "www",
    ]
)
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def valid_slug(slug: str) -> str:
    """Return the slug in lower case. Raises InvalidSlug.

    The slug is a label of a host name (RFC 1123) and part of the schema's name.
    """
    lowered = slug.strip().lower()
    if not lowered or len(lowered) > SLUG_LENGTH:
        raise InvalidSlug(
            _("The slug must have 1 to {maximum} characters.").format(maximum=SLUG_LENGTH), slug=slug
        )
    if not _SLUG.fullmatch(lowered):
        raise InvalidSlug(
            _(
                "The slug can contain only the letters a-z, digits and hyphens, and cannot start or end with a hyphen."
            ),
            slug=slug,
        )
    if lowered in RESERVED_SLUGS or lowered.startswith("xn--"):
        raise InvalidSlug(
            _("The slug {slug} is reserved. Choose another slug.").format(slug=lowered), slug=slug
        )
    return lowered


def valid_domain(host: str) -> str:
    """Return the host name in lower case and in its ASCII form, without a final dot. Raises InvalidDomain."""
    try:
        lowered = ascii_domain(host.strip()).removesuffix(".")
    except UnicodeError:
        raise _invalid_domain(host) from None
    labels = lowered.split(".")
    if len(lowered) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid_domain(host)
    platform = settings.PLATFORM_HOST
    if lowered == platform or lowered.endswith(f".{platform}"):
        raise InvalidDomain(
            _(
                "Hosts under {platform} are reserved. To change the hotel's host under {platform}, change its slug."
            ).format(platform=platform),
            host=host,
        )
    if labels[-1].isdigit():
        raise InvalidDomain(_("{host} is an IP address. Use a host name.").format(host=host), host=host)
    return lowered


def _invalid_domain(host: str) -> InvalidDomain:
    detail = _("{host} is not a valid host name. Use a name such as hotel-sol.com.").format(host=host)
    return InvalidDomain(detail, host=host)


def free_schema_name(slug: str) -> str:
    """Return an unused schema name for a new hotel, such as `hotel_sol`, or `hotel_sol_2` if `hotel_sol` is used.

    A name also counts as used if a schema with this name exists but no hotel uses the schema. Needs the platform's
    context.
    """
    # Without its hyphens, a slug contains only characters that need no quoting in SQL.
    base = f"hotel_{slug.replace('-', '_')}"
    names = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not _is_schema_used(name))


def _is_schema_used(schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regnamespace(%s) IS NOT NULL OR EXISTS (SELECT FROM tenants_hotel WHERE schema = %s)",
            [schema, schema],
        )
        return bool(cursor.fetchone()[0])
