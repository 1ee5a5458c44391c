"""What the commands share: the platform's context, who acts, which hotel, and how they end."""

import getpass
import json
from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.context import Actor, Tenant, actor_context, hotel_context, platform_context
from tenants.errors import DomainError
from tenants.models import Hotel
from tenants.selectors import get_hotel

#: What was asked for is wrong in itself: no such hotel, a value that can't be. The rest the state refuses.
_WRONG_USAGE = (404, 422)


class HotelCommand(BaseCommand):
    """Exit code 0: done; 1: a problem, said in one line; 2: wrong usage. `work` does it."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = Actor(kind="command", id=_login(), label=self.__module__.rpartition(".")[2])
        try:
            with platform_context(), actor_context(actor):
                self.work(**options)
        except DomainError as error:
            known = f" Known: {', '.join(error.extra['known'])}." if "known" in error.extra else ""
            code = 2 if error.status in _WRONG_USAGE else 1
            raise CommandError(f"{error.detail}{known}", returncode=code) from error

    def work(self, **options: Any) -> None:
        raise NotImplementedError

    def tell(self, text: str, document: Any, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(document) if as_json else text)


def add_place(parser: CommandParser, what: str) -> None:
    """`--hotel SLUG` or `--platform`, one of them: whose `what` the command is about."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--hotel", metavar="SLUG", help=f"A hotel's {what}.")
    where.add_argument("--platform", action="store_true", help=f"The platform's own {what}.")


def place(options: dict[str, Any]) -> AbstractContextManager[Tenant]:
    """The context that `add_place` asked for. Raises HotelNotFound."""
    return platform_context() if options["platform"] else hotel_context(get_hotel(slug=options["hotel"]))


def described(hotel: Hotel) -> dict[str, Any]:
    return {
        "id": str(hotel.id),
        "slug": hotel.slug,
        "name": hotel.name,
        "status": hotel.status,
        "schema": hotel.schema,
        "time_zone": str(hotel.time_zone),
        "language": hotel.language,
        "domains": [domain.host for domain in hotel.domains.all()],
    }


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
