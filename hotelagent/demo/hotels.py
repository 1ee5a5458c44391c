"""Two hotels with real bookings and staff to look around with: what `make run` shows."""

import io
import json
import secrets
from collections.abc import Callable
from pathlib import Path

from django.core.management import call_command

from hotelagent.embedded.paths import write_private
from tenants import services
from tenants.context import current_tenant, hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role

PROGRESS = "demonstration.json"
HOTELS = {"resort": "Hotel Resort", "city": "Hotel City"}
TIME_ZONE = "Europe/Lisbon"
PLATFORM_STAFF = {"admin": Role.PLATFORM}
HOTEL_STAFF = {"manager": Role.MANAGER, "frontdesk": Role.FRONT_DESK, "auditor": Role.AUDITOR}


class Progress:
    """What has been done, and the logins, in a file that only this user reads: a next start goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}

    def passwords(self, place: str) -> dict[str, str]:
        return self.done.setdefault(place, {})

    def save(self) -> None:
        write_private(self.path, json.dumps(self.done, indent=1))


def set_up(path: Path, say: Callable[[str], None]) -> dict[str, dict[str, str]]:
    """Make what is not there yet; place ("" for the platform, or a hotel's slug) -> user name -> password.

    Each step is finished and noted before the next, so one that was cut short is done again.
    """
    progress = Progress(path)
    with platform_context():
        add_staff(PLATFORM_STAFF, progress.passwords(""))
        known = {hotel.slug: hotel for hotel in Hotel.objects.filter(slug__in=HOTELS)}
    progress.save()
    imported = progress.passwords("imported")
    for slug, name in HOTELS.items():
        if slug not in known:
            imported.pop(slug, None)
            known[slug] = services.create_hotel(slug=slug, name=name, time_zone=TIME_ZONE)
        with hotel_context(known[slug]):
            add_staff(HOTEL_STAFF, progress.passwords(slug))
        progress.save()
        if slug not in imported:
            say(f"Taking in the bookings of {name}")
            said = io.StringIO()
            call_command("import_reservations", hotel=slug, demonstration=True, stdout=said)
            for line in said.getvalue().splitlines()[-2:]:  # the numbers, without the rows that were rejected
                say(line)
            imported[slug] = "yes"
            progress.save()
    return {place: progress.done[place] for place in ("", *HOTELS)}


def add_staff(staff: dict[str, Role], passwords: dict[str, str]) -> None:
    """Staff of the place that is set; those whose password nobody noted get a new one."""
    place = current_tenant().slug or "platform"
    for username, role in staff.items():
        email = f"{username}@{place}.example.com"  # for "Send me a test": the mail catcher takes any
        if username in passwords and User.objects.filter(username=username).exists():
            continue
        password = passwords.setdefault(username, secrets.token_urlsafe(9))
        user = User.objects.filter(username=username).first()
        if user is None:
            User.objects.create_user(username=username, password=password, role=role, email=email)
        else:
            user.set_password(password)
            user.save(update_fields=["password"])
