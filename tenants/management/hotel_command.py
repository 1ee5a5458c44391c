"""What the commands about hotels share: the platform's context, who acts, and how they end."""

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.context import Actor, actor_context, platform_context
from tenants.errors import DomainError
from tenants.models import Hotel


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
            raise CommandError(error.detail) from error

    def work(self, **options: Any) -> None:
        raise NotImplementedError

    def tell(self, text: str, document: Any, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(document) if as_json else text)


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
