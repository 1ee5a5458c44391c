"""What a hotel may be called: its slug, its schema, its domains."""

import itertools
import re

from django.conf import settings
from django.db import connection

from tenants.errors import InvalidDomain, InvalidSlug

SLUG_LENGTH = 40
#: Hosts and words that mean something else, or could be taken for it.
RESERVED = frozenset(
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
    """The slug, in lower case; raises InvalidSlug and says what is wrong with it.

    It becomes a label of a host name (RFC 1123) and part of a schema's name.
    """
    lowered = slug.strip().lower()
    if not lowered or len(lowered) > SLUG_LENGTH:
        raise InvalidSlug(
            f"A slug has 1 to {SLUG_LENGTH} characters; {slug!r} has {len(lowered)}.", slug=slug
        )
    if not _SLUG.fullmatch(lowered):
        raise InvalidSlug(
            f"A slug has letters a-z, digits and hyphens, and neither begins nor ends with a hyphen: not {slug!r}.",
            slug=slug,
        )
    if lowered in RESERVED or lowered.startswith("xn--"):
        raise InvalidSlug(f"{lowered!r} is reserved. Choose another slug.", slug=slug)
    return lowered


def valid_domain(host: str) -> str:
    """The host name in lower case, without a final dot; raises InvalidDomain."""
    lowered = host.strip().lower().removesuffix(".")
    try:
        lowered = lowered.encode("idna").decode()
    except UnicodeError:
        raise InvalidDomain(f"{host!r} is no host name.", host=host) from None
    labels = lowered.split(".")
    if len(lowered) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidDomain(f"{host!r} is no host name such as hotel-sol.com.", host=host)
    platform = settings.PLATFORM_HOST
    if lowered == platform or lowered.endswith(f".{platform}"):
        raise InvalidDomain(
            f"Hosts at {platform} belong to the platform: a hotel has its own by its slug.", host=host
        )
    if labels[-1].isdigit():
        raise InvalidDomain(f"{host!r} is an address, not a name.", host=host)
    return lowered


def free_schema_name(slug: str) -> str:
    """Return an unused schema name for a new hotel, with a number if needed. Needs the platform's context.

    A schema without a hotel, such as that of an interrupted restore, counts as used.
    """
    base = f"hotel_{slug.replace('-', '_')}"  # the characters of a slug need no quoting
    names = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not _is_schema_used(name))


def _is_schema_used(schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regnamespace(%s) IS NOT NULL OR EXISTS (SELECT FROM tenants_hotel WHERE schema = %s)",
            [schema, schema],
        )
        return bool(cursor.fetchone()[0])
