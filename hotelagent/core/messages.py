"""Translatable messages that are stored now and shown later, in the language of the reader."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext

from hotelagent.core.text import storable

#: Maximum length of a stored msgid or parameter in characters. A longer text, such as a mail server's reply, is cut.
MAX_LENGTH = 500
#: Maximum size of a stored message in bytes, as JSON text.
#: Without a limit, a row with a message might not fit into an 8 kB page of the database.
#: PostgreSQL needs no TOAST table if all rows of a table fit into a page (see `tenants/database/storage.py`).
MAX_BYTES = 3_000


class TranslatableMessage(str):
    """A text in the current language, with the msgid and the parameters from which the text was formatted.

    An instance is a `str`, so it can be the message of an exception. Mark the msgid with `gettext_noop`. The parameters
    are JSON-serializable values or `TranslatableMessage`s.
    """

    __slots__ = ("msgid", "params")
    msgid: str
    params: dict[str, Any]

    def __new__(cls, msgid: str, **params: Any) -> TranslatableMessage:
        text = gettext(msgid)
        message = super().__new__(cls, text.format(**params) if params else text)
        message.msgid, message.params = msgid, params
        return message

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Return the arguments that `copy` and `pickle` pass to `__new__` to create the copy."""
        return (self.msgid,), self.params


def message_to_json(text: str) -> dict[str, Any]:
    """Return the JSON form of a message, for a `jsonb` column.

    A plain string becomes a message without parameters. Each part is cut to `MAX_LENGTH` characters. If the result has
    more than `MAX_BYTES`, the formatted text is stored instead, so this message is not translated.
    """
    if isinstance(text, TranslatableMessage):
        params = {name: _param_to_json(value) for name, value in text.params.items()}
        stored = {"msgid": _storable(text.msgid), "params": params}
        if len(json.dumps(stored, ensure_ascii=False).encode()) <= MAX_BYTES:
            return stored
    return {"msgid": _storable(text)}


def message_from_json(stored: dict[str, Any] | None) -> str:
    """Return a stored message in the current language, or an empty string if nothing is stored."""
    if not stored:
        return ""
    params = {
        name: message_from_json(value) if isinstance(value, dict) else value
        for name, value in stored.get("params", {}).items()
    }
    return TranslatableMessage(stored["msgid"], **params)


def _param_to_json(value: Any) -> Any:
    if isinstance(value, TranslatableMessage):
        return message_to_json(value)
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    return storable(text[:MAX_LENGTH])
