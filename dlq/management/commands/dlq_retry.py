"""The command `dlq_retry`, which retries failures by id, or all failures with the same fingerprint."""

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dlq import selectors, services
from tenants.errors import DomainError
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context


class Command(HotelCommand):
    help = (
        "Retry failures of one hotel or of the platform as soon as a worker is free. A retry that fails is recorded "
        "as an attempt, and the failure is kept.  "
        "Examples: dlq_retry --hotel resort 0198c0de-...; "
        "dlq_retry --hotel resort --fingerprint 4f1c0a9be2d37781; "
        "dlq_retry --platform --fingerprint 4f1c0a9be2d37781 --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "failures")
        parser.add_argument("ids", nargs="*", type=uuid.UUID, metavar="ID", help="The ids of failures.")
        parser.add_argument(
            "--fingerprint", metavar="GROUP", help="Retry the scheduled and permanent failures of this group."
        )

    def run(self, **options: Any) -> None:
        if bool(options["ids"]) == bool(options["fingerprint"]):
            raise CommandError("Specify either ids or --fingerprint.", returncode=2)
        with tenant_context(options):
            ids = options["ids"] or list(
                selectors.waiting_failures(fingerprint=options["fingerprint"]).values_list("id", flat=True)
            )
            errors = [error for failure_id in ids if (error := _retry(failure_id))]
        scheduled = len(ids) - len(errors)
        for error in errors:
            self.stderr.write(f"{error['id']}: {error['detail']}")
        self.write_result(
            f"{scheduled} failures will be retried, {len(errors)} cannot be retried.",
            {"scheduled": scheduled, "errors": errors},
            as_json=options["json"],
        )
        if errors:
            raise SystemExit(1)


def _retry(failure_id: uuid.UUID) -> dict[str, str] | None:
    """Schedule a retry of the failure. Return None, or a dict that describes why the failure cannot be retried."""
    try:
        services.retry(failure_id=failure_id)
    except DomainError as error:
        return {"id": str(failure_id), "code": error.code, "detail": error.detail}
    return None
