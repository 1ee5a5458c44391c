"""The base class of commands that run in the context of the platform or of one hotel."""

import getpass
import json
import sys
from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.context import PLATFORM, Actor, Tenant, actor_context, context_of, platform_context
from tenants.errors import DomainError
from tenants.models import Hotel
from tenants.selectors import get_hotel

#: The HTTP statuses of errors that an invalid argument causes, such as the slug of an unknown hotel.
#: If the error that ends a command has one of these HTTP statuses, the exit code of the command is 2.
_USAGE_STATUSES = (404, 422)


class HotelCommand(BaseCommand):
    """A command that runs in the platform's context, with the operating system's user as the actor.

    Subclasses implement `run`. The exit code is 0 on success, 1 if the operation is not possible, and 2 for invalid
    arguments. Errors are written to standard error.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the result as one JSON document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = command_actor(self.__module__.rpartition(".")[2])
        try:
            with platform_context(), actor_context(actor):
                self.run(**options)
        except DomainError as error:
            known = f" Valid values: {', '.join(error.extra['known'])}." if "known" in error.extra else ""
            code = 2 if error.status in _USAGE_STATUSES else 1
            raise CommandError(f"{error.detail}{known}", returncode=code) from error

    def run(self, **options: Any) -> None:
        """Execute the command.

        If a DomainError is raised, the command prints the error message and exits.
        """
        raise NotImplementedError

    def write_result(self, text: str, document: Any, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(document) if as_json else text)


def add_tenant_arguments(parser: CommandParser, noun: str, *, required: bool = True) -> None:
    """Add the arguments `--hotel SLUG` and `--platform`. If `required` is true, exactly one of the two is required.

    `noun` names the objects of the command in the help texts, as in "Use this hotel's failures."
    """
    tenant = parser.add_mutually_exclusive_group(required=required)
    tenant.add_argument("--hotel", metavar="SLUG", help=f"Use this hotel's {noun}.")
    tenant.add_argument("--platform", action="store_true", help=f"Use the platform's {noun}.")


def selected_tenant(options: dict[str, Any]) -> Tenant:
    """Return the tenant that the user selected with `--hotel` or `--platform`. Raises HotelNotFound."""
    return PLATFORM if options["platform"] else get_hotel(slug=options["hotel"]).tenant


def tenant_context(options: dict[str, Any]) -> AbstractContextManager[Tenant]:
    """Return the context of the tenant that the user selected with `--hotel` or `--platform`. Raises HotelNotFound."""
    return context_of(selected_tenant(options))


def confirm_erasure(options: dict[str, Any], question: str) -> None:
    """Ask the question, and exit unless the answer is yes or the user has chosen `--yes`.

    Raises CommandError with the exit code 2 if there is no terminal, and with the exit code 1 if the answer is not yes.
    """
    if options["yes"]:
        return
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for a confirmation. Use --yes.", returncode=2)
    if input(f"{question} Type yes to continue: ").strip() != "yes":
        raise CommandError("Nothing was erased.", returncode=1)


def hotel_as_json(hotel: Hotel) -> dict[str, Any]:
    return {
        "id": str(hotel.id),
        "slug": hotel.slug,
        "name": hotel.name,
        "status": hotel.status,
        "schema": hotel.schema,
        "time_zone": hotel.time_zone,
        "language": hotel.language,
        "domains": [domain.host for domain in hotel.domains.all()],
    }


def command_actor(name: str) -> Actor:
    """Return the actor of a command. The label contains the name of the operating system's user."""
    login = _login()
    return Actor(kind="command", id=name, label=f"{name} ({login})" if login else name)


def _login() -> str:
    try:
        return getpass.getuser()
    # The operating system's user may have no name, which is common in containers.
    except (KeyError, OSError):
        return ""
