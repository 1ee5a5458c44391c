"""The database expressions for the search of reservations by name, number, e-mail address and phone number.

One index of the terms of each reservation serves the whole search. The terms are the words of the name, the number and
the e-mail address, and the digits of the phone number. A query finds the beginnings of words.

The expressions contain only built-in functions of PostgreSQL, because `unaccent` is an extension, and because the text
search configurations keep e-mail addresses and numbers with signs as single words. If the terms change, a migration
must create the index again.
"""

from __future__ import annotations

import re
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Expression, Func, Value

#: Letters that Unicode does not decompose into a letter and an accent, and the letters that replace them.
_LETTERS = ("øłđħı", "oldhi")
#: All characters up to U+00BF that are neither letters nor digits. They separate words.
_SEPARATORS = r"[\x01-/:-@\[-`{-\u00bf]+"
_WORDS = (
    "array_remove(regexp_split_to_array(translate(lower(regexp_replace(normalize(<text>, NFKD),"
    rf" '[\u0300-\u036f]', '', 'g')), '{_LETTERS[0]}', '{_LETTERS[1]}'), '{_SEPARATORS}'), '')"
)
_DIGITS = r"regexp_replace(<text>, '\D', '', 'g')"
#: Terms with the digits of a phone number in reading order, and in reverse order, begin with these characters.
#: A phone number that is written without the country code is found by its last digits.
_FORWARD, _REVERSED = "+", "-"
#: A text with fewer digits is not searched as a phone number, because too many phone numbers end with these digits.
_MIN_DIGITS = 4
_PHONE = re.compile(r"[\d\s()+./-]+")


class SearchTerms(Func):
    """The search terms of a reservation, of the fields name, number, e-mail address and phone number."""

    output_field = SearchVectorField()

    def __init__(self, name: Any, number: Any, email: Any, phone: Any, **extra: Any) -> None:
        super().__init__(name, number, email, phone, **extra)

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_extra: Any) -> tuple[str, Any]:  # noqa: ARG002
        columns: list[str] = []
        for expression in self.get_source_expressions():
            sql, parameters = compiler.compile(expression)
            if parameters:
                raise ValueError("The search terms are made of columns only.")
            columns.append(sql)
        name, number, email, phone = columns
        words = _WORDS.replace("<text>", f"{name} || ' ' || {number} || ' ' || {email}")
        digits = _DIGITS.replace("<text>", phone)
        terms = f"{words} || ARRAY['{_FORWARD}' || {digits}, '{_REVERSED}' || reverse({digits})]"
        return f"array_to_tsvector({terms})", []


class MatchesSearch(Func):
    """Whether each word of a text is the beginning of a search term, or the text is a phone number of the terms."""

    output_field = BooleanField()

    def __init__(self, terms: Expression | str, text: str, **extra: Any) -> None:
        super().__init__(terms, Value(text), Value(_phone_query(text)), **extra)

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_extra: Any) -> tuple[str, Any]:  # noqa: ARG002
        terms, text, phone = (compiler.compile(part) for part in self.get_source_expressions())
        words = _WORDS.replace("<text>", text[0])
        # The words contain no characters that have a meaning in the text format of `tsquery`.
        query = "(SELECT string_agg(word || ':*', ' & ')::tsquery FROM unnest(<words>) AS word)"
        query = query.replace("<words>", words)
        sql = f"{terms[0]} @@ (coalesce({query}, ''::tsquery) || {phone[0]}::tsquery)"
        return sql, [*terms[1], *text[1], *phone[1]]


def _phone_query(text: str) -> str:
    """Return the query for the text as a phone number, or an empty query if the text is not a phone number."""
    if not _PHONE.fullmatch(text):
        return ""
    # "+44 (0)20 7946 0958" and "020 7946 0958" are the same number. The zero is dialled only within the country.
    digits = re.sub(r"\D", "", text.replace("(0)", "")).lstrip("0")
    if len(digits) < _MIN_DIGITS:
        return ""
    return f"'{_FORWARD}{digits}':* | '{_REVERSED}{digits[::-1]}':*"
