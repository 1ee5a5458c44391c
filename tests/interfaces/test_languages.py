"""Spanish and English: every text that people see is there in both."""

import ast
import gettext
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
APPS = ("hotelagent", "tenants", "audit", "locks", "dlq", "reminders")
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
HOW = "Run makemessages as the catalogue's first line says, translate, and run compilemessages."
CATALOGUE = ROOT / "hotelagent/locale/es/LC_MESSAGES/django.po"
_IN_TEMPLATE = re.compile(r"""{%-?\s*(?:translate|trans)\s+(?:"([^"]+)"|'([^']+)')""")


def in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in MARKS
            and node.args
        ):
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def marked() -> set[str]:
    """Every text that is marked for translation in our sources."""
    found: set[str] = set()
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" not in path.parts:
                found.update(in_python(path))
        for path in (ROOT / app).rglob("*.html"):
            found.update(double or single for double, single in _IN_TEMPLATE.findall(path.read_text()))
    return found


@pytest.fixture(scope="module")
def spanish() -> gettext.GNUTranslations:
    with CATALOGUE.with_suffix(".mo").open("rb") as compiled:
        return gettext.GNUTranslations(compiled)


def known(spanish: gettext.GNUTranslations) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, text in spanish._catalog.items():  # type: ignore[attr-defined]
        english = key[0] if isinstance(key, tuple) else key
        found.setdefault(english.rpartition("\x04")[2], []).append(text)  # after its context
    found.pop("", None)
    return found


def test_every_text_has_its_spanish(spanish: gettext.GNUTranslations) -> None:
    texts = marked()
    assert len(texts) > 200
    assert sorted(texts - known(spanish).keys()) == [], HOW


def test_the_catalogue_is_compiled_and_whole(spanish: gettext.GNUTranslations) -> None:
    source = CATALOGUE.read_text()
    assert "fuzzy" not in source
    written = set(re.findall(r'^msgid "(.+)"$', source, re.MULTILINE))
    assert {text.replace('\\"', '"') for text in written} == known(spanish).keys(), HOW


def names(text: str) -> set[str | None]:
    """What a text is filled with."""
    braces = {field for _literal, field, _spec, _conversion in string.Formatter().parse(text) if field}
    return braces | set(re.findall(r"%(?:\(\w+\))?[sd]", text))


def test_a_translation_is_filled_with_the_same(spanish: gettext.GNUTranslations) -> None:
    for english, translations in known(spanish).items():
        for translation in translations:
            assert translation
            assert names(translation) == names(english), english
