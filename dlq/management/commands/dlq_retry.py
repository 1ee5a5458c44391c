"""Send failures again: some by id, or all that wait in a group."""

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dlq import selectors, services
from tenants.errors import DomainError
from tenants.management.hotel_command import HotelCommand, add_place, place


class Command(HotelCommand):
    help = (
        "Send failures of one hotel (or of the platform) again, as soon as a worker is free. Nothing is lost "
        "by it: a retry that fails is counted and the failure stays.  "
        "Examples: dlq_retry --hotel resort 0198c0de-...; "
        "dlq_retry --hotel resort --fingerprint 4f1c0a9be2d37781; "
        "dlq_retry --platform --fingerprint 4f1c0a9be2d37781 --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_place(parser, "failures")
        parser.add_argument("ids", nargs="*", type=uuid.UUID, metavar="ID", help="failures, by id")
        parser.add_argument(
            "--fingerprint", metavar="GROUP", help="all that are scheduled or permanent in a group"
        )

    def work(self, **options: Any) -> None:
        if bool(options["ids"]) == bool(options["fingerprint"]):
            raise CommandError("Give either ids or --fingerprint.", returncode=2)
        with place(options):
            ids = options["ids"] or list(
                selectors.waiting(fingerprint=options["fingerprint"]).values_list("id", flat=True)
            )
            refused = [refusal for failure_id in ids if (refusal := _retry(failure_id))]
        planned = len(ids) - len(refused)
        for refusal in refused:
            self.stderr.write(f"{refusal['id']}: {refusal['detail']}")
        self.tell(
            f"{planned} to be sent again, {len(refused)} refused.",
            {"planned": planned, "refused": refused},
            as_json=options["json"],
        )
        if refused:
            raise SystemExit(1)


def _retry(failure_id: uuid.UUID) -> dict[str, str] | None:
    """Why it was refused; None where it was planned."""
    try:
        services.retry(failure_id=failure_id)
    except DomainError as error:
        return {"id": str(failure_id), "code": error.code, "detail": error.detail}
    return None
