"""The command `dlq_retry`, which retries failures with the given ids, or all failures that match a filter."""

import contextlib
import time
import uuid
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dlq import services
from dlq.models import FailureStatus
from dlq.redrives import services as redrives
from dlq.redrives.api import RedriveSerializer
from dlq.redrives.models import UNFINISHED_STATUSES, Redrive, RedriveStatus
from dlq.redrives.previews import Preview
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from tenants.errors import DomainError
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context

#: Seconds between two checks of the progress of a redrive job.
POLL_SECONDS = 1.0
_TEXT_CRITERIA = ("name", "source", "fingerprint", "error_type", "ordering_key", "text")


class Command(HotelCommand):
    help = (
        "Retry failures of one hotel or of the platform as soon as a worker is free. A retry that fails is recorded "
        "as an attempt, and the failure is kept. With ids, each of these failures is retried. With a filter or --all, "
        "a redrive retries all open failures that match, each of them once.  "
        "Examples: dlq_retry --hotel resort 0198c0de-...; "
        "dlq_retry --hotel resort --fingerprint 4f1c0a9be2d37781 --dry-run; "
        "dlq_retry --hotel resort --name reminders.send --rate 600 --canary 5 --max-failure-rate 20 --wait"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "failures")
        parser.add_argument("ids", nargs="*", type=uuid.UUID, metavar="ID", help="The ids of failures.")
        selection = parser.add_argument_group("filter")
        selection.add_argument("--all", action="store_true", help="Retry all open failures.")
        selection.add_argument(
            "--status", action="append", choices=FailureStatus.values, help="Can be given several times."
        )
        selection.add_argument("--name", help="The name of the task or message.")
        selection.add_argument("--source", help="The system that reported the failures.")
        selection.add_argument("--fingerprint", metavar="GROUP", help="The fingerprint of a group.")
        selection.add_argument("--error-type", help="The type of the error.")
        selection.add_argument("--ordering-key", metavar="KEY")
        selection.add_argument("--text", help="A part of the name or of the error message.")
        for name, text in (
            ("--since", "Last seen at this time or later"),
            ("--until", "Last seen before this time"),
        ):
            selection.add_argument(
                name, type=_datetime, metavar="TIME", help=f"{text}, such as 2030-05-01T08:00."
            )
        options = parser.add_argument_group("redrive")
        options.add_argument("--dry-run", action="store_true", help="Only show what would be retried.")
        options.add_argument("--rate", type=_positive, metavar="N", help="Retries per minute.")
        options.add_argument(
            "--canary",
            type=_positive,
            metavar="N",
            help="Retry N failures first. The rest follows if they succeed.",
        )
        options.add_argument(
            "--max-failure-rate",
            type=int,
            choices=range(101),
            metavar="PERCENT",
            help="Stop if more than this percentage of the retries fails.",
        )
        options.add_argument(
            "--confirm-in-doubt",
            action="store_true",
            help="Also retry work that may have been done and must not be done twice.",
        )
        options.add_argument(
            "--wait", action="store_true", help="Show the progress until the redrive has ended."
        )

    def run(self, **options: Any) -> None:
        criteria = {name: options[name] for name in _TEXT_CRITERIA if options[name]}
        criteria |= {name: options[name] for name in ("since", "until") if options[name]}
        if options["status"]:
            criteria["status"] = tuple(options["status"])
        is_redrive = bool(criteria) or options["all"]
        if bool(options["ids"]) == is_redrive:
            raise CommandError("Specify either ids, or a filter, or --all.", returncode=2)
        with tenant_context(options):
            if is_redrive:
                self._redrive(FailureSelection(**criteria), options)
            else:
                self._retry_each(options["ids"], options)

    def _redrive(self, selection: FailureSelection, options: dict[str, Any]) -> None:
        redrive_options = RedriveOptions(
            rate=options["rate"],
            canary=options["canary"] or 0,
            max_failure_rate=options["max_failure_rate"],
            confirm_in_doubt=options["confirm_in_doubt"],
        )
        if options["dry_run"]:
            preview = redrives.preview(selection=selection, options=redrive_options)
            self.write_result(_describe_preview(preview), _preview_as_json(preview), as_json=options["json"])
            return
        redrive = redrives.start(selection=selection, options=redrive_options)
        if options["wait"]:
            redrive = self._wait(redrive, quiet=options["json"] or not options["verbosity"])
        document = RedriveSerializer(redrive).data
        self.write_result(_describe(redrive), document, as_json=options["json"])
        if redrive.failed or redrive.status in {RedriveStatus.STOPPED, RedriveStatus.CANCELLED}:
            raise SystemExit(1)

    def _wait(self, redrive: Redrive, *, quiet: bool) -> Redrive:
        """Wait until the redrive job has ended, and return the redrive.

        On a terminal, show a progress bar unless `quiet`.
        """
        console = Console(file=getattr(self.stdout, "_out", None))
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[failed]} failed, {task.fields[refused]} refused"),
        )  # fmt: skip
        with contextlib.ExitStack() as stack:
            bar = None
            if console.is_terminal and not quiet:
                bar = stack.enter_context(Progress(*columns, console=console))
                task = bar.add_task("Retries", total=redrive.matched, failed=0, refused=0)
            while redrive.status in UNFINISHED_STATUSES:
                time.sleep(POLL_SECONDS)
                redrive = Redrive.objects.get(id=redrive.id)
                if bar is not None:
                    refused = redrive.refused_count
                    completed = redrive.succeeded + redrive.failed + refused
                    bar.update(task, completed=completed, failed=redrive.failed, refused=refused)
        return redrive

    def _retry_each(self, ids: list[uuid.UUID], options: dict[str, Any]) -> None:
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


def _describe(redrive: Redrive) -> str:
    matched = "an unknown number of" if redrive.matched is None else redrive.matched
    if redrive.status in UNFINISHED_STATUSES:
        return f"Started the redrive {redrive.id} of {matched} failures."
    refused = "".join(f", {count} {reason}" for reason, count in sorted(redrive.refused.items()))
    reason = f" {redrive.get_stop_reason_display()}" if redrive.stop_reason else ""
    return (
        f"The redrive {redrive.id} is {redrive.get_status_display()}.{reason} "
        f"{redrive.succeeded} succeeded, {redrive.failed} failed, {redrive.refused_count} refused{refused}."
    )


def _describe_preview(preview: Preview) -> str:
    if preview.matched is None or preview.refused is None:
        return "There are too many failures to count in time. You can start the redrive without the count."
    refused = "".join(f"\n  {count} refused: {reason}" for reason, count in preview.refused.items())
    return f"{preview.matched} failures match, {preview.accepted} would be retried.{refused}"


def _preview_as_json(preview: Preview) -> dict[str, Any]:
    return {
        "matched": preview.matched,
        "accepted": preview.accepted,
        "refused": preview.refused,
        "sample": [str(failure.id) for failure in preview.sample],
    }


def _datetime(text: str) -> datetime:
    value = parse_datetime(text)
    if value is None:
        raise ValueError(text)
    return value if timezone.is_aware(value) else timezone.make_aware(value)


def _positive(text: str) -> int:
    value = int(text)
    if value <= 0:
        raise ValueError(text)
    return value
