"""The bulk upsert of reservations: JSON Lines whose lines have the fields of a PUT request and the number.

Each line has the same effect as a PUT request for its number. A line that can't be stored does not prevent the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError

from hotelagent.core.text import single_line
from hotelagent.rest.parsers import decode_json
from reminders.errors import InvalidReservation
from reminders.reservations.services import upsert_reservation
from tenants.errors import DomainError

#: The maximum number of rows that a request stores. A worker stores a body with more rows.
MAX_ROWS_IN_REQUEST = 200
#: The maximum number of rows in a body.
MAX_ROWS = 20_000

_TEXTS = (
    "external_id", "guest_name", "guest_email", "guest_phone", "language", "country", "room_type", "source", "status",
)  # fmt: skip
_NUMBERS = ("adults", "children")
_DATES = ("arrival", "departure")
_OPTIONAL_DATES = ("booked_on", "status_date")
FIELDS = (*_TEXTS, *_NUMBERS, *_DATES, *_OPTIONAL_DATES)
REQUIRED_FIELDS = ("external_id", "arrival", "departure", "guest_name")


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row. `row` is the number of the line in the body, beginning with 1.

    If the row was rejected, `error` is the reason. Otherwise, `reservation_id` is the id of its reservation.
    """

    row: int
    external_id: str
    outcome: Outcome
    reservation_id: UUID | None = None
    error: DomainError | None = None


def decode(content: bytes) -> str:
    """Return the text of a request body. A line that is not UTF-8 is rejected later, and other lines are stored."""
    return content.decode("utf-8-sig", "surrogateescape")


def rows_of(text: str) -> list[tuple[int, str]]:
    """Return the lines of JSON Lines that are not empty, each with its number."""
    # `splitlines` would also split a text at characters such as U+2028, which may occur within a JSON string.
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


class BulkUpsert:
    """The bulk upsert of the rows in one body. A row is rejected if an earlier row has the same booking number."""

    def __init__(self) -> None:
        self._first_rows: dict[str, int] = {}

    def skip(self, rows: Iterable[tuple[int, str]]) -> None:
        """Read rows that were stored before, so that later rows with the same number are rejected."""
        for row, line in rows:
            try:
                self._read(row, line)
            except InvalidReservation:
                continue

    def store(self, rows: Sequence[tuple[int, str]]) -> list[RowResult]:
        """Store a batch of rows, and return their results in the order of the rows. Runs in the caller's transaction.

        The reservations are locked in the order of their numbers, so two batches can't cause a deadlock.
        """
        results = []
        valid: list[tuple[int, dict[str, Any]]] = []
        for row, line in rows:
            try:
                valid.append((row, self._read(row, line)))
            except InvalidReservation as error:
                results.append(RowResult(row, _number_in(line), Outcome.REJECTED, error=error))
        results += [
            _upsert(row, fields) for row, fields in sorted(valid, key=lambda item: item[1]["external_id"])
        ]
        return sorted(results, key=lambda result: result.row)

    def _read(self, row: int, line: str) -> dict[str, Any]:
        """Return the fields of a row. Raises InvalidReservation."""
        fields = _fields(line)
        number = fields["external_id"]
        first = self._first_rows.setdefault(number, row)
        if first != row:
            raise _invalid("external_id", _("Row {row} has the same number.").format(row=first))
        return fields


def _upsert(row: int, fields: dict[str, Any]) -> RowResult:
    versions: list[str | None] = []

    def remember(version: str | None) -> bool:
        versions.append(version)
        return True

    try:
        reservation, is_new = upsert_reservation(may_change=remember, **fields)
    except DomainError as error:
        return RowResult(row, fields["external_id"], Outcome.REJECTED, error=error)
    if is_new:
        outcome = Outcome.CREATED
    else:
        outcome = Outcome.UNCHANGED if versions[-1] == reservation.version else Outcome.UPDATED
    return RowResult(row, reservation.external_id, outcome, reservation_id=reservation.id)


def _fields(line: str) -> dict[str, Any]:
    """Return the fields of a line after a check of their types. Raises InvalidReservation."""
    try:
        content = decode_json(line.encode())
    except ParseError as error:
        raise _invalid("", str(error.detail)) from error
    except UnicodeEncodeError as error:
        raise _invalid("", _("The line is not valid UTF-8.")) from error
    if not isinstance(content, dict):
        raise _invalid("", _("Each line must be a JSON object."))
    errors: dict[str, list[str]] = {}
    for name in content.keys() - set(FIELDS):
        errors[name] = [_("Unknown field. Allowed fields: %(allowed)s.") % {"allowed": ", ".join(FIELDS)}]
    for name in REQUIRED_FIELDS:
        value = content.get(name)
        if value is None or value == "":
            errors[name] = [_("This field is required.")]
    for name, value in content.items():
        if name not in errors and (message := _type_error(name, value)):
            errors[name] = [message]
    if errors:
        raise InvalidReservation(_("See `errors`."), errors=errors)
    # Convert the number to its stored form, so that different spellings of one number are equal.
    return content | {"external_id": single_line(content["external_id"])}


def _type_error(name: str, value: Any) -> str:
    """Return what is wrong with the JSON type of a value, or an empty text."""
    if name in _NUMBERS:
        if not isinstance(value, int) or isinstance(value, bool):
            return _("Enter a whole number.")
        return _("Enter at least one adult.") if name == "adults" and value < 1 else ""
    if name in _OPTIONAL_DATES and value is None:
        return ""
    return "" if isinstance(value, str) else _("Send a string.")


def _invalid(name: str, message: str) -> InvalidReservation:
    return InvalidReservation(message, errors={name or "non_field_errors": [message]})


def _number_in(line: str) -> str:
    """Return the reservation number in a rejected line, or an empty text if the line contains no readable number."""
    try:
        content = decode_json(line.encode())
    except (ParseError, UnicodeEncodeError):
        return ""
    number = content.get("external_id") if isinstance(content, dict) else ""
    return number[:64] if isinstance(number, str) else ""


def count(results: Iterable[RowResult]) -> dict[str, int]:
    """Return the number of rows with each outcome."""
    outcomes = [result.outcome for result in results]
    return {outcome.value: outcomes.count(outcome) for outcome in Outcome}
