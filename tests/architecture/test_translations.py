"""Tests that every text shown to people is marked for translation and has a Spanish translation."""

from __future__ import annotations

import ast
import gettext
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Field, Model
from django.utils import translation
from django.utils.functional import Promise

from hotelagent.admin.sites import hotel_site, platform_site
from tenants.languages import language_choices
from tests.architecture.domain_errors import domain_errors
from tests.architecture.modules import PACKAGES, ROOT

CATALOGUE = ROOT / "hotelagent/locale/es/LC_MESSAGES/django.po"
HINT = "Add the message to the .po file, translate it, and run `manage.py compilemessages`."
#: The functions whose first argument is a message. Modules import them under these names.
GETTEXT = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
_TEMPLATE_MESSAGE = re.compile(r"""{%-?\s*(?:translate|trans)\s+(?:"([^"]+)"|'([^']+)')""")


@cache
def spanish_catalogue() -> dict[str, list[str]]:
    """Return a dict that maps each English message to its Spanish translations.

    A message has several translations if it has plural forms or is used in several contexts.
    """
    with CATALOGUE.with_suffix(".mo").open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]
    translations: dict[str, list[str]] = {}
    for key, text in catalogue.items():
        message = key[0] if isinstance(key, tuple) else key
        # The text before \x04 is the context of the message.
        translations.setdefault(message.rpartition("\x04")[2], []).append(text)
    translations.pop("", None)  # the empty message contains the header of the catalogue
    return translations


def messages_in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in GETTEXT
            and node.args
        ):
            message = node.args[0]
            if isinstance(message, ast.Constant) and isinstance(message.value, str):
                yield message.value


def messages_in_sources() -> set[str]:
    messages: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                messages.update(messages_in_python(path))
        for path in (ROOT / package).rglob("*.html"):
            messages.update(
                double or single for double, single in _TEMPLATE_MESSAGE.findall(path.read_text())
            )
    return messages


def test_messages_in_python_and_templates_have_a_spanish_translation() -> None:
    messages = messages_in_sources()
    assert len(messages) > 200
    assert sorted(messages - spanish_catalogue().keys()) == [], HINT


def test_compiled_catalogue_contains_all_messages_of_the_po_file() -> None:
    source = CATALOGUE.read_text()
    assert "fuzzy" not in source
    messages = {text.replace('\\"', '"') for text in re.findall(r'^msgid "(.+)"$', source, re.MULTILINE)}
    assert messages == spanish_catalogue().keys(), HINT


def placeholders(text: str) -> set[str]:
    braces = {field for _literal, field, _spec, _conversion in string.Formatter().parse(text) if field}
    return braces | set(re.findall(r"%(?:\(\w+\))?[sd]", text))


def test_translations_contain_the_same_placeholders_as_their_messages() -> None:
    for message, translations in spanish_catalogue().items():
        for text in translations:
            assert text
            assert placeholders(text) == placeholders(message), message


def untranslated(text: Any) -> bool:
    """Return whether a label would be shown in English to Spanish users. That is the case for a plain string, and for a
    message without a translation in the project's or Django's catalogue.
    """
    if text in {"", None}:
        return False
    if not isinstance(text, Promise):
        return True
    with translation.override("en"):
        english = str(text)
    with translation.override("es"):
        spanish = str(text)
    return spanish == english and english not in spanish_catalogue()


def test_titles_of_errors_in_api_responses_are_translated() -> None:
    found = [
        f"{error.__module__}.{error.__name__}"
        for error in domain_errors()
        if "title" in vars(error) and untranslated(error.title)
    ]
    assert found == []


def model_admins() -> Iterator[ModelAdmin[Any]]:
    for site in (hotel_site, platform_site):
        for model, model_admin in site._registry.items():
            if model._meta.app_label in PACKAGES:
                yield model_admin


def shown_fields(model_admin: ModelAdmin[Any]) -> Iterator[Field[Any, Any]]:
    shown = {*model_admin.list_display, *model_admin.readonly_fields}
    for field in model_admin.model._meta.get_fields():
        if isinstance(field, Field) and not field.primary_key and (field.editable or field.name in shown):
            yield field


def model_labels(model_admin: ModelAdmin[Any]) -> Iterator[tuple[str, Any]]:
    model: type[Model] = model_admin.model
    yield "verbose_name", model._meta.verbose_name
    yield "verbose_name_plural", model._meta.verbose_name_plural
    for field in shown_fields(model_admin):
        yield f"{field.name}.verbose_name", field.verbose_name
        yield f"{field.name}.help_text", field.help_text
        # The names of languages are not translated, because each language is named in the language itself.
        choices = [choice for choice in field.choices or [] if choice not in language_choices()]
        yield from ((f"{field.name}={value}", label) for value, label in choices)


def admin_labels(model_admin: ModelAdmin[Any]) -> Iterator[tuple[str, Any]]:
    columns = [
        name
        for name in (*model_admin.list_display, *model_admin.readonly_fields, *(model_admin.fields or []))
        if isinstance(name, str)
    ]
    for name in columns:
        if name != "__str__" and hasattr(type(model_admin), name):  # the column shows a method
            yield f"{name}()", getattr(getattr(model_admin, name), "short_description", name)
        elif isinstance(shown := getattr(model_admin.model, name, None), property):
            yield f"model.{name}", getattr(shown.fget, "short_description", name)
    for action in model_admin.actions or []:
        method = getattr(model_admin, action) if isinstance(action, str) else action
        yield f"{method.__name__}()", getattr(method, "short_description", method.__name__)
    yield from (("fieldsets", title) for title, _options in model_admin.fieldsets or [])
    for name, field in getattr(model_admin.form, "declared_fields", {}).items():
        yield f"form.{name}.label", field.label or name
        yield f"form.{name}.help_text", field.help_text
    options = getattr(model_admin.form, "_meta", None)
    for attribute in ("labels", "help_texts"):
        for name, text in (getattr(options, attribute, None) or {}).items():
            yield f"form.{attribute}.{name}", text
    for entry in model_admin.list_filter or []:
        list_filter = entry[1] if isinstance(entry, tuple) else entry
        if isinstance(list_filter, type) and hasattr(list_filter, "title"):
            yield f"{list_filter.__name__}.title", list_filter.title


def test_labels_and_help_texts_of_the_admin_are_translated() -> None:
    found = sorted(
        {
            f"{type(model_admin).__module__}.{type(model_admin).__name__}: {place}"
            for model_admin in model_admins()
            for place, text in (*model_labels(model_admin), *admin_labels(model_admin))
            if untranslated(text)
        }
    )
    assert found == []


def test_plain_string_and_message_without_translation_count_as_untranslated() -> None:
    assert untranslated("Rooms")
    assert untranslated(translation.gettext_lazy("This message is in no catalogue."))
    assert not untranslated(translation.gettext_lazy("rooms"))
    # This message is in the catalogue of Django.
    assert not untranslated(translation.gettext_lazy("Please correct the error below."))
