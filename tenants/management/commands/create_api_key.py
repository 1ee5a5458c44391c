"""The command `create_api_key`, which creates an API key and prints the key once."""

import datetime
import re
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from tenants.access import api_keys
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context
from tenants.scopes import HOTEL_SCOPES, PLATFORM_SCOPES

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_expiry(text: str) -> datetime.datetime | None:
    """Parse `90d`, `12h`, `8w`, a date (midnight UTC), a datetime with a UTC offset, or `never` (None).

    Raises ValueError.
    """
    if text == "never":
        return None
    if match := re.fullmatch(r"(\d{1,4})([hdw])", text):
        return timezone.now() + datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})
    if date := parse_date(text):
        return datetime.datetime.combine(date, datetime.time.min, tzinfo=datetime.UTC)
    expiry = parse_datetime(text)
    if expiry is None or expiry.tzinfo is None:
        raise ValueError(text)
    return expiry


class Command(HotelCommand):
    help = (
        "Create an API key and print it. The key is shown only once, because only its digest is stored. "
        "Example: create_api_key --hotel resort --name 'Booking engine' --scope locks:write --scope rooms:read. "
        f"Scopes of a hotel: {', '.join(HOTEL_SCOPES)}. Scopes of the platform: {', '.join(PLATFORM_SCOPES)}. "
        "Exit codes: 0 created, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "key, which is not valid elsewhere")
        parser.add_argument(
            "--name", required=True, help="The client and its purpose, as shown in the audit trail."
        )
        parser.add_argument(
            "--scope", action="append", required=True, metavar="SCOPE", dest="scopes",
            help="A scope of the key. Repeat it for several.",
        )  # fmt: skip
        parser.add_argument(
            "--expires", default="90d", metavar="WHEN",
            help="90d, 12h, 8w, 2027-01-31, 2027-01-31T12:00Z or never (default: %(default)s).",
        )  # fmt: skip

    def run(self, **options: Any) -> None:
        try:
            expires_at = parse_expiry(options["expires"])
        except ValueError:
            raise CommandError(
                f"--expires: {options['expires']!r} is not valid. Use a period such as 90d, a date or never.",
                returncode=2,
            ) from None
        with tenant_context(options):
            key, text = api_keys.create(name=options["name"], scopes=options["scopes"], expires_at=expires_at)
        validity = (
            f"valid until {key.expires_at:%Y-%m-%d %H:%M} UTC"
            if key.expires_at
            else "valid until it is revoked"
        )
        self.stderr.write(
            f"API key for {options['hotel'] or 'the platform'}, {validity}. It is shown only once:"
        )
        self.write_result(
            text,
            {
                "id": str(key.pk),
                "hotel": options["hotel"],
                "name": key.name,
                "prefix": key.prefix,
                "scopes": key.scopes,
                "expires_at": key.expires_at.isoformat() if key.expires_at else None,
                "key": text,
            },
            as_json=options["json"],
        )
