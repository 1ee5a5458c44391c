"""Tests that database functions record events with the version, severity and outcome of the registered event type."""

import re
from collections.abc import Iterator

import pytest

from audit import registry
from audit.registry import EventType
from tests.architecture.modules import ROOT

_COMMENT = re.compile(r"--[^\n]*")
#: The positions of the parameters type_version, event_severity and event_outcome of audit_record, and their defaults.
_DEFAULTS = {6: 1, 7: 1, 8: 1}
#: The fields of the events of the database function locks_publish. It gets the event type as a parameter.
_PUBLISHED_FIELDS = {"room", "check_in", "check_out"}


def calls_in(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of the database function `audit_record` in this SQL text."""
    text = _COMMENT.sub("", text)
    for match in re.finditer(r"(?<!FUNCTION public\.)\baudit_record\(", text):
        arguments, depth = [""], 0
        for character in text[match.end() :]:
            if character == ")" and not depth:
                break
            depth += {"(": 1, ")": -1}.get(character, 0)
            if character == "," and not depth:
                arguments.append("")
            else:
                arguments[-1] += character
        yield [argument.strip() for argument in arguments]


def event_types_of(argument: str) -> list[EventType]:
    """Return the event types that a call of `audit_record` with this argument can record.

    If the argument is a variable, as in locks_publish, return all event types with the fields `_PUBLISHED_FIELDS`.
    """
    if argument.startswith("'"):
        return [registry.get(argument.strip("'"))]
    return [event_type for event_type in registry.all_types() if event_type.fields >= _PUBLISHED_FIELDS]


def wrong_calls(text: str) -> list[str]:
    """Return the names of the event types for which a call passes a wrong version, severity or outcome."""
    wrong = []
    for arguments in calls_in(text):
        passed = tuple(
            int(arguments[position]) if position < len(arguments) else default
            for position, default in _DEFAULTS.items()
        )
        wrong += [
            event_type.name
            for event_type in event_types_of(arguments[1])
            if passed != (event_type.version, event_type.severity, event_type.outcome)
        ]
    return wrong


def test_database_functions_record_events_with_the_values_of_the_registered_types() -> None:
    texts = {file.name: file.read_text() for file in ROOT.glob("*/sql/*.sql") if file.stem != "audit_record"}
    calls = {name: list(calls_in(text)) for name, text in texts.items()}
    assert sum(map(len, calls.values())) >= 9
    assert len(event_types_of("event_type")) >= 10
    assert {name: wrong_calls(text) for name, text in texts.items() if wrong_calls(text)} == {}


@pytest.mark.parametrize("values", ["", ", NULL, 2", ", NULL, 1, 1", ", NULL, 1, 2, 3"])
def test_call_whose_version_severity_or_outcome_differs_from_the_event_type_is_found(values: str) -> None:
    text = (
        f"PERFORM audit_record(actor, 'staff.login_failed', f(1, 2), x, jsonb_build_object('a', 1){values});"
    )
    assert wrong_calls(text) == ["staff.login_failed"]
    assert (
        wrong_calls(
            text.replace(f"{values})", ", NULL, 1, 2, 2)") if values else text[:-2] + ", NULL, 1, 2, 2);"
        )
        == []
    )
