"""The command `audit_retention` shows and changes the retention period and the legal hold of an audit trail."""

from typing import Any

from django.core.management.base import CommandParser

from audit.retention.expired import find_expired_trails, keep_days_of
from audit.retention.services import change_retention
from audit.sealing import logs
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, selected_tenant


class Command(HotelCommand):
    help = (
        "Show or change how long the events of the audit trail of a hotel or of the platform are kept. Celery beat "
        "deletes older events each day. Under legal hold, neither events nor the hotel can be deleted. A change "
        "needs a reason and is recorded in the trail.  "
        "Examples: audit_retention --hotel resort; "
        'audit_retention --hotel resort --legal-hold on --reason "Case 12/2030"; '
        'audit_retention --hotel resort --keep-days 2190 --reason "Six years, article 30 of the commercial code"'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "audit trail")
        period = parser.add_mutually_exclusive_group()
        period.add_argument(
            "--keep-days", type=int, metavar="DAYS", help="The retention period. 0 keeps the events for ever."
        )
        period.add_argument(
            "--keep-default", action="store_true", help="Use the retention period in AUDIT_KEEP_DAYS."
        )
        parser.add_argument("--legal-hold", choices=["on", "off"], help="Begin or end the legal hold.")
        parser.add_argument("--reason", default="", metavar="TEXT", help="The reason for the change.")

    def run(self, **options: Any) -> None:
        tenant = selected_tenant(options)
        log = logs.open_log(tenant.id)
        keep_days = None if options["keep_default"] else log.keep_days
        if options["keep_days"] is not None:
            keep_days = options["keep_days"]
        hold = log.legal_hold if options["legal_hold"] is None else options["legal_hold"] == "on"
        change_retention(log, keep_days=keep_days, legal_hold=hold, reason=options["reason"])
        log = logs.open_log(tenant.id)
        overdue = next((trail.overdue for trail in find_expired_trails() if trail.log_id == log.pk), None)
        days = keep_days_of(log)
        source = " (AUDIT_KEEP_DAYS)" if log.keep_days is None else ""
        text = [
            f"{log.origin}: events are kept for {days} days{source}."
            if days
            else f"{log.origin}: events are kept for ever.",
            f"Legal hold: {'on' if log.legal_hold else 'off'}. {log.first_kept} of {log.size} events were deleted.",
        ]
        if overdue is not None:
            text.append(
                f"Expired events are overdue for {overdue.days} days. {log.retention_problem}".strip()
            )
        document = {
            "log": log.origin,
            "keep_days": days,
            "is_default": log.keep_days is None,
            "legal_hold": log.legal_hold,
            "events": log.size,
            "deleted": log.first_kept,
            "overdue_seconds": None if overdue is None else int(overdue.total_seconds()),
            "problem": log.retention_problem,
        }
        self.write_result("\n".join(text), document, as_json=options["json"])
