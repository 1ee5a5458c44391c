"""Cleaning of text that other systems or people supply."""

import unicodedata

# The invisible characters "zero width joiner" and "zero width non-joiner" are part of Persian words and of some emoji.
# The functions below keep the two characters.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def single_line(text: str) -> str:
    """Return the text as one line that is safe as the value of an e-mail header (RFC 5322, section 2.2).

    Line breaks, control characters and runs of spaces become one space. Characters that change the reading
    direction are removed.
    """
    if not text.isprintable():
        text = "".join(map(_printable, text))
    return " ".join(text.split())


def storable(text: str) -> str:
    """Return the text with a replacement character for each character that PostgreSQL refuses, also within JSON.

    PostgreSQL refuses NUL characters and lone surrogates.
    """
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


#: Spreadsheet programs interpret a cell that begins with one of these characters as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def without_formula(cell: str) -> str:
    """Return the text of a cell, with a leading apostrophe if a spreadsheet program would run it as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _printable(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    is_format_character = unicodedata.category(character) == "Cf"
    return "" if is_format_character else " "
