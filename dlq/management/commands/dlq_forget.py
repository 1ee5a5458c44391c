"""The command `dlq_forget`, which erases the data of one guest from the failures of a hotel or of the platform."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from dlq.erasure import services as erasure
from tenants.management.hotel_command import (
    HotelCommand,
    add_tenant_arguments,
    confirm_erasure,
    tenant_context,
)


class Command(HotelCommand):
    help = (
        "Erase one guest from the failures of a hotel or of the platform: payloads, corrections, error texts, reasons "
        "and notes that contain an e-mail address, phone number or reservation number. Work that needs the erased data "
        "is discarded. This cannot be undone. The erasure is recorded without the value, and is applied again when an "
        "older backup of the hotel is restored.  "
        "Examples: dlq_forget --hotel resort ana@example.com; echo R000123 | dlq_forget --hotel resort --yes -"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "failures")
        parser.add_argument(
            "identifier",
            help="The guest's e-mail address, phone number with country code, or reservation number. Use - to read it "
            "from standard input, so that it is not in the history of the shell.",
        )
        parser.add_argument("--yes", action="store_true", help="Do not ask for a confirmation.")

    def run(self, **options: Any) -> None:
        identifier = options["identifier"]
        if identifier == "-":
            identifier = sys.stdin.readline()
        confirm_erasure(options, "The data of this guest will be erased.")
        with tenant_context(options):
            result = erasure.forget(identifier)
        text = (
            f"Data were erased from {result.failures} failures, {result.attempts} attempts, {result.groups} groups and "
            f"{result.events} audit events. {result.discarded} failures were open and are discarded."
        )
        self.write_result(text, result.numbers(), as_json=options["json"])
