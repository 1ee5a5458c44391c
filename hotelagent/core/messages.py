"""Sentences that are kept now and read later, by people of several languages."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

#: Characters of one part. A mail server's answer may go on.
MOST = 500


class Sentence(str):
    """A text in the language of now, that knows what it was made of: a msgid, marked by gettext_noop, and its facts.

    A str, so that errors carry it as they do any other text. Facts are JSON-able, or sentences themselves. What has
    none is not filled: it may be what others said, braces and all.
    """

    __slots__ = ("facts", "msgid")
    msgid: str
    facts: dict[str, Any]

    def __new__(cls, msgid: str, **facts: Any) -> Sentence:
        text = gettext(msgid)
        made = super().__new__(cls, text.format(**facts) if facts else text)
        made.msgid, made.facts = msgid, facts
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """For copies: the text alone could not be filled again."""
        return (self.msgid,), self.facts


def keep(text: str) -> dict[str, Any]:
    """What a JSON column holds of it: of what others said `MOST` characters, and none that jsonb refuses."""
    if not isinstance(text, Sentence):
        return {"msgid": _stored(text)}
    return {"msgid": _stored(text.msgid), "facts": {name: _kept(fact) for name, fact in text.facts.items()}}


def say(kept: dict[str, Any] | None) -> str:
    """In the reader's language, as far as the catalogue has it; what was a `Sentence` is one again."""
    if not kept:
        return ""
    facts = kept.get("facts", {}).items()
    return Sentence(
        kept["msgid"], **{name: say(fact) if isinstance(fact, dict) else fact for name, fact in facts}
    )


def _kept(fact: Any) -> Any:
    if isinstance(fact, Sentence):
        return keep(fact)
    return _stored(fact) if isinstance(fact, str) else fact


def _stored(text: str) -> str:
    return text[:MOST].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
