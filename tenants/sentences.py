"""Sentences that are kept now and read later, by people of several languages."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext


class Sentence(str):
    """A text in the language of now, that knows what it was made of: a msgid, marked by gettext_noop, and its facts.

    A str, so that errors carry it as they do any other text. Facts are JSON-able.
    """

    __slots__ = ("facts", "msgid")
    msgid: str
    facts: dict[str, Any]

    def __new__(cls, msgid: str, **facts: Any) -> Sentence:
        made = super().__new__(cls, gettext(msgid).format(**facts))
        made.msgid, made.facts = msgid, facts
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """For copies: the text alone could not be filled again."""
        return (self.msgid,), self.facts


def keep(text: str) -> dict[str, Any]:
    """What a JSON column holds of it."""
    return {"msgid": text.msgid, "facts": text.facts} if isinstance(text, Sentence) else {"msgid": text}


def say(kept: dict[str, Any] | None) -> str:
    """In the reader's language, as far as the catalogue has it."""
    if not kept or not kept["msgid"]:
        return ""
    return str(Sentence(kept["msgid"], **kept["facts"])) if "facts" in kept else gettext(kept["msgid"])
