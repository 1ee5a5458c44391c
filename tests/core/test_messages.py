"""Tests of translatable messages, which are stored untranslated and are shown in the reader's language."""

import copy
import json

from django.utils import translation

from hotelagent.core.messages import (
    MAX_BYTES,
    MAX_LENGTH,
    TranslatableMessage,
    message_from_json,
    message_to_json,
)
from tenants.errors import DomainError


def store(message: str) -> dict[str, object]:
    """Convert the message to JSON and back, as if it were stored in a jsonb column, and return the result."""
    stored: dict[str, object] = json.loads(json.dumps(message_to_json(message)))
    return stored


def test_message_with_parameters_is_translated_after_it_was_stored() -> None:
    message = DomainError(TranslatableMessage("The host name {host} can't be resolved.", host="R1")).detail
    assert message == "The host name R1 can't be resolved."
    stored = store(message)
    with translation.override("es"):
        assert message_from_json(stored) == "No se puede resolver el nombre de host R1."
    assert message_from_json(stored) == message


def test_message_parameter_that_contains_braces_is_inserted_unchanged() -> None:
    message = TranslatableMessage("The host name {host} can't be resolved.", host="{x} {0.__class__}")
    assert message == "The host name {x} {0.__class__} can't be resolved."
    assert message_from_json(store(copy.deepcopy(message))) == message


def test_message_used_as_a_parameter_of_another_message_is_translated() -> None:
    inner = TranslatableMessage("The host name {host} can't be resolved.", host="R1")
    stored = store(TranslatableMessage("{outer}: {inner}", outer="SMTP", inner=inner))
    with translation.override("es"):
        assert message_from_json(stored) == "SMTP: No se puede resolver el nombre de host R1."


def test_characters_that_jsonb_rejects_are_removed_from_message_parameters() -> None:
    stored = store(TranslatableMessage("{host} sent it.", host="\0\ud800" + "x" * MAX_LENGTH))
    assert message_from_json(stored) == f"\N{REPLACEMENT CHARACTER}?{'x' * (MAX_LENGTH - 2)} sent it."


def test_long_message_is_truncated_to_the_maximum_length() -> None:
    assert len(message_from_json(store("x" * 10_000))) == MAX_LENGTH


def test_message_with_too_many_bytes_is_stored_as_truncated_text() -> None:
    text = "\U0001f3e8" * MAX_LENGTH
    message = TranslatableMessage("{host} is the host, {reason}.", host=text, reason=text)
    stored = store(message)
    assert message_from_json(stored) == message[:MAX_LENGTH]
    assert len(json.dumps(stored, ensure_ascii=False).encode()) <= MAX_BYTES


def test_plain_string_message_with_braces_is_stored_unchanged() -> None:
    assert message_from_json(store("100 % {sure}")) == "100 % {sure}"


def test_plain_string_message_is_translated_if_the_catalogue_contains_it() -> None:
    stored = store("Enter a valid URL.")
    with translation.override("es"):
        assert message_from_json(stored) == "Introduzca una URL válida."


def test_empty_or_missing_message_is_read_as_an_empty_string() -> None:
    assert message_from_json(store("")) == message_from_json(None) == ""
