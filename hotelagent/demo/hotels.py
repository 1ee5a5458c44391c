"""Setup of the two demonstration hotels that `make run` shows: staff accounts, generated bookings and rates."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from hotelagent.demo.export import export_rows, write_csv
from hotelagent.demo.generator import generate_bookings
from hotelagent.demo.profiles import PROFILES
from hotelagent.demo.rates import CURRENCY, generate_rates
from hotelagent.embedded import paths
from hotelagent.embedded.paths import write_private_file
from hotelagent.pms.connections import change_connection
from hotelagent.pms.rates import save_rate
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role

STATE_FILE = paths.RUN / "demo.json"
BOOKINGS_FOLDER = paths.HOME / "demo"
#: The name of each hotel, by its slug.
HOTELS = {"resort": "Hotel Resort", "city": "Hotel City"}
TIME_ZONE = "Europe/Lisbon"
PLATFORM_STAFF = {"admin": Role.PLATFORM}
HOTEL_STAFF = {"manager": Role.MANAGER, "frontdesk": Role.FRONT_DESK, "auditor": Role.AUDITOR}
#: The demonstration has bookings with arrivals from one week ago to three weeks from now.
#: Bookings with earlier or later arrivals are used neither by the room board nor by the default reminder rules.
ARRIVALS_BEFORE_TODAY = timedelta(days=7)
ARRIVALS_AFTER_TODAY = timedelta(days=21)

#: Maps hotel slugs to dicts that map user names to passwords. The slug "" means the platform.
Logins = dict[str, dict[str, str]]


class SetupState:
    """The finished steps and the passwords of the setup, stored in a file that only the current user can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        stored = json.loads(path.read_text()) if path.exists() else {}
        self.logins: Logins = stored.get("logins", {})
        self.imported: list[str] = stored.get("imported", [])
        self.with_rates: list[str] = stored.get("with_rates", [])

    def save(self) -> None:
        content = {"logins": self.logins, "imported": self.imported, "with_rates": self.with_rates}
        write_private_file(self._path, json.dumps(content, indent=1))

    def forget(self, slug: str) -> None:
        """Forget the finished steps of a hotel that does not exist, so that its setup begins again."""
        self.imported = [finished for finished in self.imported if finished != slug]
        self.with_rates = [finished for finished in self.with_rates if finished != slug]


def set_up(report_progress: Callable[[str], None]) -> Logins:
    """Create the hotels, accounts, bookings and rates that are missing, and return the logins.

    The state is saved after each step. An interrupted setup continues with the unfinished step.
    """
    paths.private_folder(STATE_FILE.parent)
    state = SetupState(STATE_FILE)
    with platform_context():
        _create_accounts(PLATFORM_STAFF, state.logins.setdefault("", {}), email_domain="platform.example.com")
        hotels = {hotel.slug: hotel for hotel in Hotel.objects.filter(slug__in=HOTELS)}
    state.save()
    for slug, name in HOTELS.items():
        if slug not in hotels:
            state.forget(slug)
            hotels[slug] = services.create_hotel(slug=slug, name=name, time_zone=TIME_ZONE)
        with hotel_context(hotels[slug]):
            _create_accounts(
                HOTEL_STAFF, state.logins.setdefault(slug, {}), email_domain=f"{slug}.example.com"
            )
        state.save()
        if slug not in state.imported:
            report_progress(f"Importing generated bookings into {name}")
            report_progress(_import_bookings(slug))
            state.imported.append(slug)
            state.save()
        if slug not in state.with_rates:
            with hotel_context(hotels[slug]):
                create_rates(slug)
            state.with_rates.append(slug)
            state.save()
    return {slug: state.logins[slug] for slug in ("", *HOTELS)}


def _import_bookings(slug: str) -> str:
    """Generate bookings, import them with the command `import_reservations`, and return the output of the command."""
    today = _today()
    bookings = generate_bookings(
        PROFILES[slug],
        first_arrival=today - ARRIVALS_BEFORE_TODAY,
        last_arrival=today + ARRIVALS_AFTER_TODAY,
    )
    file = paths.private_folder(BOOKINGS_FOLDER) / f"{slug}.csv"
    write_csv(file, export_rows(bookings, today=today))
    output = io.StringIO()
    call_command("import_reservations", file, hotel=slug, stdout=output)
    return output.getvalue().rstrip()


def create_rates(slug: str) -> None:
    """Create the generated rates and the currency of the current hotel, so that offers have a price."""
    with transaction.atomic():
        change_connection(changes={"currency": CURRENCY})
        for rate in generate_rates(PROFILES[slug], today=_today()):
            save_rate(rate, is_new=True)


def _today() -> date:
    return timezone.localdate(timezone=ZoneInfo(TIME_ZONE))


def _create_accounts(roles: dict[str, Role], passwords: dict[str, str], *, email_domain: str) -> None:
    """Create the accounts of the current hotel or of the platform, and add their passwords to `passwords`.

    An existing account whose password is not in `passwords` receives a new password.
    """
    for username, role in roles.items():
        user = User.objects.filter(username=username).first()
        if user is not None and username in passwords:
            continue
        password = passwords.setdefault(username, secrets.token_urlsafe(9))
        if user is None:
            email = f"{username}@{email_domain}"  # the admin sends test e-mails to the address of the logged-in user
            User.objects.create_user(username=username, password=password, role=role, email=email)
        else:
            user.set_password(password)
            user.save(update_fields=["password"])
