"""The selection of failures by criteria. Lists, redrive jobs and exports use the same criteria."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext as _

from dlq.errors import InvalidSelection
from dlq.models import Failure, FailureStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureSelection:
    """Criteria that select failures of the current tenant. A criterion that is empty or None selects all failures.

    `since` and `until` are compared with the time at which the failure was last seen, and `until` is exclusive. `text`
    contains words, all of which must occur in the name or in the error message, in upper or lower case. A word can also
    be a fingerprint. Words in quotation marks are one word. The search of the admin follows the same rules.

    Raises InvalidSelection.
    """

    status: tuple[str, ...] = ()
    is_task: bool | None = None
    source: str = ""
    name: str = ""
    fingerprint: str = ""
    error_type: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    ordering_key: str = ""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the selection with these values of a form or a serializer. Empty values select all failures."""
        criteria = {name: value for name, value in values.items() if value not in (None, "")}
        return cls(**{**criteria, "status": tuple(sorted(criteria.get("status", ())))})

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.status) - set(FailureStatus.values)):
            text = _("There is no status {unknown}. Use one or more of: {known}.")
            known = ", ".join(FailureStatus.values)
            raise InvalidSelection(text.format(unknown=", ".join(unknown), known=known))
        if self.since and self.until and self.since >= self.until:
            raise InvalidSelection(_("The start of the period must be before its end."))
        if any("\0" in value for value in self._criteria().values() if isinstance(value, str)):
            raise InvalidSelection(_("The criteria must not contain NUL characters."))

    def queryset(self) -> QuerySet[Failure]:
        """Return the selected failures, in no particular order."""
        return Failure.objects.filter(self.condition()).order_by()

    def condition(self) -> Q:
        """Return the criteria as a condition on the columns of a failure."""
        condition = Q()
        for name in ("source", "name", "fingerprint", "error_type", "ordering_key"):
            if value := getattr(self, name):
                condition &= Q(**{name: value})
        if self.status:
            condition &= Q(status__in=self.status)
        if self.is_task is not None:
            condition &= Q(is_task=self.is_task)
        if self.since:
            condition &= Q(last_seen_at__gte=self.since)
        if self.until:
            condition &= Q(last_seen_at__lt=self.until)
        for word in _words(self.text):
            condition &= (
                Q(name__icontains=word) | Q(error_message__icontains=word) | Q(fingerprint__iexact=word)
            )
        return condition

    def as_json(self) -> dict[str, Any]:
        """Return the criteria that are set, as a JSON object."""
        return {name: _to_json(value) for name, value in self._criteria().items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return the selection with the criteria of this JSON object.

        Raises InvalidSelection if a criterion is unknown.
        """
        if unknown := sorted(set(value) - {field.name for field in fields(cls)}):
            raise InvalidSelection(
                _("Unknown criteria: {names}. Use the filters of the list of failures.").format(
                    names=", ".join(unknown)
                )
            )
        criteria = dict(value)
        for name in ("since", "until"):
            if name in criteria:
                criteria[name] = parse_datetime(criteria[name])
        return cls(**{**criteria, "status": tuple(criteria.get("status", ()))})

    def _criteria(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value not in ((), "", None)}


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _words(text: str) -> list[str]:
    """Split the text into words. A quoted phrase is one word, as in the search of Django's admin."""
    return [
        unescape_string_literal(word) if word[0] in "\"'" and word[0] == word[-1] else word
        for word in smart_split(text)
    ]
