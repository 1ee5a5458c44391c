"""`create_api_key`: a key for a client, printed once."""

import datetime
import re
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from tenants.access import api_keys
from tenants.management.hotel_command import HotelCommand, add_place, place
from tenants.scopes import HOTEL_SCOPES, PLATFORM_SCOPES

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def expiry(text: str) -> datetime.datetime | None:
    """`90d`, `12h`, `8w`, a date, a moment with its zone, or `never`. Raises ValueError."""
    if text == "never":
        return None
    if match := re.fullmatch(r"(\d{1,4})([hdw])", text):
        return timezone.now() + datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})
    if date := parse_date(text):
        return datetime.datetime.combine(date, datetime.time.min, tzinfo=datetime.UTC)
    moment = parse_datetime(text)
    if moment is None or moment.tzinfo is None:
        raise ValueError(text)
    return moment


class Command(HotelCommand):
    help = (
        "Make an API key and print it. It is shown this once: only a digest of it is stored. "
        "Example: create_api_key --hotel resort --name 'Booking engine' --scope locks:write --scope rooms:read. "
        f"A hotel's scopes: {', '.join(HOTEL_SCOPES)}. The platform's: {', '.join(PLATFORM_SCOPES)}. "
        "Exit code 0: made. 2: wrong usage, nothing made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_place(parser, "key; it means nothing elsewhere")
        parser.add_argument(
            "--name", required=True, help="Who will use it, for what; the audit trail shows it."
        )
        parser.add_argument(
            "--scope", action="append", required=True, metavar="SCOPE", dest="scopes",
            help="What the key may do; repeat it for several.",
        )  # fmt: skip
        parser.add_argument(
            "--expires", default="90d", metavar="WHEN",
            help="90d, 12h, 8w, 2027-01-31, 2027-01-31T12:00Z or never (default: %(default)s).",
        )  # fmt: skip

    def work(self, **options: Any) -> None:
        try:
            expires_at = expiry(options["expires"])
        except ValueError:
            raise CommandError(
                f"--expires {options['expires']}: not a time. Say 90d, 12h, 8w, a date or never.",
                returncode=2,
            ) from None
        with place(options):
            key, text = api_keys.create(name=options["name"], scopes=options["scopes"], expires_at=expires_at)
        until = f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "until it is revoked"
        self.stderr.write(f"A key for {options['hotel'] or 'the platform'}, {until}. It is shown this once:")
        self.tell(
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
