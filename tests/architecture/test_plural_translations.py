"""Tests of the Spanish translations of messages with plural forms: for 1, for whole millions, and for other numbers.

A noun follows whole millions with "de", as in "1 000 000 de fallos".
"""

import ast
import re
from collections.abc import Iterator

import pytest
from django.utils import translation
from django.utils.translation import ngettext, npgettext
from django.utils.translation.template import templatize

from tests.architecture.modules import PACKAGES, ROOT

#: The context of a message, which may be empty, and its singular and plural in English.
Message = tuple[str, str, str]

#: Matches the number in a message and the word that follows. The number is the first placeholder of each message.
_NUMBER = re.compile(r"(%(?:\(\w+\))?[ds](?:</b>)?) (\w+)")
#: Words that are not nouns. Spanish inserts "de" after a million before nouns only.
_NOT_NOUNS = {"cerrados", "más", "se"}


def messages_in_python(source: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
            match node.func.id.removesuffix("_lazy"), texts:
                case "ngettext", [str(singular), str(plural), *_]:
                    yield "", singular, plural
                case "npgettext", [str(context), str(singular), str(plural), *_]:
                    yield context, singular, plural


def messages() -> list[Message]:
    """Return all messages of the project's modules and templates that have plural forms."""
    found: set[Message] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "ngettext" in (source := path.read_text()) or "npgettext" in source:
                found.update(messages_in_python(source))
        for path in (ROOT / package).rglob("templates/**/*.*"):
            # `templatize` is the function with which makemessages reads templates. It returns calls of ngettext.
            for call in re.findall(r"np?gettext\(.+?, count\)", templatize(path.read_text())):
                found.update(messages_in_python(call))
    return sorted(found)


def spanish(message: Message, number: int) -> str:
    """Return the Spanish translation of the message for this number. Its placeholders are not replaced."""
    context, singular, plural = message
    with translation.override("es"):
        if context:
            return npgettext(context, singular, plural, number)
        return ngettext(singular, plural, number)


def with_de(text: str) -> str:
    """Return the text with "de" between the number and the noun, as Spanish requires after whole millions."""
    found = _NUMBER.search(text)
    if found is None or found[2] in _NOT_NOUNS:
        return text
    return f"{text[: found.end(1)]} de{text[found.end(1) :]}"


@pytest.mark.parametrize("message", messages(), ids=lambda message: message[1])
def test_message_has_a_spanish_form_for_one_for_millions_and_for_other_numbers(message: Message) -> None:
    zero, one, two, million = (spanish(message, number) for number in (0, 1, 2, 1_000_000))
    assert not {zero, one, two, million} & {"", *message[1:]}
    assert zero == two
    assert million == with_de(two)
    # The singular and the plural are equal only if the message has no noun.
    assert one != two or two == with_de(two)


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (
            ("", "%d failure was discarded.", "%d failures were discarded."),
            {
                0: "Se han descartado 0 fallos.",
                1: "Se ha descartado 1 fallo.",
                2: "Se han descartado 2 fallos.",
                1_000_000: "Se han descartado 1000000 de fallos.",
                1_000_001: "Se han descartado 1000001 fallos.",
            },
        ),
        (
            ("", "%d failure will be retried shortly.", "%d failures will be retried shortly."),
            {
                0: "0 fallos se reintentarán en breve.",
                1: "1 fallo se reintentará en breve.",
                2: "2 fallos se reintentarán en breve.",
                1_000_000: "1000000 de fallos se reintentarán en breve.",
            },
        ),
    ],
    ids=["discarded", "retried"],
)
def test_spanish_form_agrees_with_the_number(message: Message, texts: dict[int, str]) -> None:
    assert {number: spanish(message, number) % number for number in texts} == texts


def test_message_without_a_translation_has_no_spanish_form() -> None:
    missing = ("", "%d lamp in no catalogue", "%d lamps in no catalogue")
    assert spanish(missing, 1) == missing[1]
