"""The template engine for templates that staff write: Django's tags and a selection of filters.

A process serves many hotels, so a template must not use much memory or time. Filters whose output can be much larger
than their input are left out: `{{ guest_name|center:"3000000000" }}` needed six gigabytes of memory.
"""

from __future__ import annotations

import functools

from django.template import Engine, Library, Template, defaultfilters

register = Library()
for _name in (
    "capfirst", "cut", "default", "default_if_none", "divisibleby", "escape", "first", "last", "length", "linebreaks",
    "linebreaksbr", "lower", "pluralize", "slice", "slugify", "striptags", "title", "truncatechars", "truncatewords",
    "upper", "urlencode", "wordcount", "yesno",
):  # fmt: skip
    register.filter(_name, defaultfilters.register.filters[_name])


@register.filter
def add(value: object, increment: object) -> int:
    """Return the sum of two numbers. Django's `add` filter also joins texts, which could grow without limit."""
    return int(str(value)) + int(str(increment))


class SandboxEngine(Engine):
    """A template engine that has only the filters of this module and can't load other templates."""

    default_builtins = ["django.template.defaulttags", "reminders.mail.template_sandbox"]


_HTML_ENGINE = SandboxEngine(autoescape=True)
_TEXT_ENGINE = SandboxEngine(autoescape=False)


@functools.lru_cache(maxsize=512)
def compile_template(source: str, *, is_html: bool) -> Template:
    """Return the compiled template. Raises TemplateSyntaxError."""
    return Template(source, engine=_HTML_ENGINE if is_html else _TEXT_ENGINE)
