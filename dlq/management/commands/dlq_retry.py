"""Send failures again: some by id, or all that wait in a group."""

import json
import uuid
from argparse import ArgumentParser
from contextlib import AbstractContextManager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dlq import selectors, services
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.errors import DomainError, HotelNotFound
from tenants.selectors import get_hotel


class Command(BaseCommand):
    help = (
        "Send failures of one hotel (or of the platform) again, as soon as a worker is free. Nothing is lost "
        "by it: a retry that fails is counted and the failure stays.  "
        "Examples: dlq_retry --hotel resort 0198c0de-...; "
        "dlq_retry --hotel resort --fingerprint 4f1c0a9be2d37781; "
        "dlq_retry --platform --fingerprint 4f1c0a9be2d37781 --json"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--hotel", metavar="SLUG", help="the hotel whose failures they are")
        where.add_argument("--platform", action="store_true", help="the platform's own failures")
        parser.add_argument("ids", nargs="*", type=uuid.UUID, metavar="ID", help="failures, by id")
        parser.add_argument(
            "--fingerprint", metavar="GROUP", help="all that are scheduled or permanent in a group"
        )
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["ids"]) == bool(options["fingerprint"]):
            raise CommandError("Give either ids or --fingerprint.", returncode=2)
        with _place(options["hotel"]), actor_context(Actor("command", "dlq_retry", "manage.py dlq_retry")):
            ids = options["ids"] or list(
                selectors.waiting(fingerprint=options["fingerprint"]).values_list("id", flat=True)
            )
            refused = [refusal for failure_id in ids if (refusal := _retry(failure_id))]
        planned = len(ids) - len(refused)
        if options["json"]:
            self.stdout.write(json.dumps({"planned": planned, "refused": refused}))
        else:
            for refusal in refused:
                self.stderr.write(f"{refusal['id']}: {refusal['detail']}")
            self.stdout.write(f"{planned} to be sent again, {len(refused)} refused.")
        if refused:
            raise SystemExit(1)


def _place(slug: str | None) -> AbstractContextManager[Any]:
    if slug is None:
        return platform_context()
    try:
        with platform_context():
            return hotel_context(get_hotel(slug=slug))
    except HotelNotFound as error:
        raise CommandError(error.detail, returncode=2) from None


def _retry(failure_id: uuid.UUID) -> dict[str, str] | None:
    """Why it was refused; None where it was planned."""
    try:
        services.retry(failure_id=failure_id)
    except DomainError as error:
        return {"id": str(failure_id), "code": error.code, "detail": error.detail}
    return None
