"""Functions that clean texts from other systems or people, and a function that finds all texts in a JSON value."""

import unicodedata
from collections.abc import Iterator
from typing import Any

# The invisible characters "zero width joiner" and "zero width non-joiner" are part of Persian words and of some emoji.
# The functions of this module do not remove the characters "zero width joiner" and "zero width non-joiner".
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def single_line(text: str) -> str:
    """Return the text as one line that is safe as the value of an e-mail header (RFC 5322, section 2.2).

    Line breaks, control characters and runs of spaces become one space. Characters that change the reading
    direction are removed.
    """
    if not text.isprintable():
        text = "".join(map(_printable, text))
    return " ".join(text.split())


def normalize_username(name: str) -> str:
    """Return the user name without spaces around it, in the form in which user names are compared and stored.

    Compatibility characters are replaced (NFKC), and upper-case letters become lower-case (Unicode case folding).
    Letters that only look similar stay different: `adm\u0131n` with a dotless i is not `admin`. A comparison in upper
    case would confuse these two names.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def storable(text: str) -> str:
    """Return the text with a replacement character for each character that PostgreSQL refuses, also within JSON.

    PostgreSQL refuses NUL characters and lone surrogates.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def visible(text: str) -> str:
    """Return the text with an escape, such as `\\u202e`, for each character that could hide or reorder other text.

    These are line breaks, control characters (also the escape character of terminals) and format characters such as
    the marks for the reading direction.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in _JOINERS else _escaped(character)
        for character in text
    )


#: Spreadsheet programs interpret a cell that begins with one of these characters as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def without_formula(cell: str) -> str:
    """Return the text of a cell. If a spreadsheet program would run the text as a formula, add a leading apostrophe."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def texts_in(value: Any) -> Iterator[str]:
    """Yield all texts and numbers in a JSON value, and the names of object members, in no particular order.

    The value can be nested to any depth.
    """
    remaining = [value]
    while remaining:
        match remaining.pop():
            case str() as text:
                yield text
            case dict() as members:
                remaining += [*members.keys(), *members.values()]
            case list() | tuple() as elements:
                remaining += elements
            case None | bool():
                pass
            case other:
                yield str(other)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _printable(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    is_format_character = unicodedata.category(character) == "Cf"
    return "" if is_format_character else " "
