"""Validation of templates when staff save them: syntax, variables, size, and tags that are not allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.template import Template as CompiledTemplate
from django.template import TemplateSyntaxError
from django.template.base import FilterExpression, Node, NodeList, Variable
from django.template.defaulttags import ForNode, WithNode
from django.utils.translation import gettext as _

from reminders.errors import InvalidTemplate
from reminders.mail.rendering import (
    FALLBACK_LANGUAGE,
    TEMPLATE_VARIABLES,
    example_reservation,
    render_parts,
)
from reminders.mail.template_sandbox import compile_template
from reminders.models import Template

#: The maximum number of characters of one part of a template. Gmail cuts off messages that are longer than 102 kB.
MAX_LENGTH = 60_000

# Tags that read files or settings are forbidden, as are tags whose output depends on the time or the language.
# Tags and filters that turn off HTML escaping are forbidden too, because a guest's name could contain HTML.
_FORBIDDEN = re.compile(
    r"\{%\s*(include|extends|load|debug|lorem|now|url|autoescape)\b|\|\s*(safe|safeseq)\b"
)


def validate_template(*, subject: str, text: str, html: str) -> None:
    """Raise InvalidTemplate unless all parts compile, render, and use only variables that exist.

    The error has two attributes: `part` is the part of the template, and `unknown` lists the unknown variables.
    """
    for part, source, is_html in (("subject", subject, False), ("text", text, False), ("html", html, True)):
        if len(source) > MAX_LENGTH:
            message = _("The text is too long: %(length)d characters (limit: %(limit)d). Shorten the text.")
            raise InvalidTemplate(message % {"length": len(source), "limit": MAX_LENGTH}, part=part)
        if forbidden := _FORBIDDEN.search(source):
            message = _("Templates can't use the tag or filter “%(name)s”. Remove it from the template.")
            raise InvalidTemplate(message % {"name": forbidden[1] or forbidden[2]}, part=part)
        _validate_compiled(part, source, is_html=is_html)
        trial = Template(language=FALLBACK_LANGUAGE, **{part: source})
        try:
            render_parts(trial, reservation=example_reservation(), hotel_name="")
        except InvalidTemplate as error:
            raise InvalidTemplate(error.detail, part=part) from error


def _validate_compiled(part: str, source: str, *, is_html: bool) -> None:
    try:
        compiled = compile_template(source, is_html=is_html)
    except TemplateSyntaxError as error:
        raise InvalidTemplate(str(error), part=part) from error
    if _has_nested_loops(compiled):
        raise InvalidTemplate(_("A loop can't contain another loop. Remove one of the loops."), part=part)
    if unknown := sorted(used_variables(compiled.nodelist) - TEMPLATE_VARIABLES):
        raise InvalidTemplate(
            _("Unknown variable: %(unknown)s. Available variables: %(available)s.")
            % {"unknown": ", ".join(unknown), "available": ", ".join(sorted(TEMPLATE_VARIABLES))},
            part=part,
            unknown=unknown,
        )


def _has_nested_loops(template: CompiledTemplate) -> bool:
    """Return whether the template has a loop inside another loop.

    Nested loops are rejected, because six nested loops over the characters of a long name would run for years.
    """
    for loop in template.nodelist.get_nodes_by_type(ForNode):
        body = getattr(loop, "nodelist_loop", None)
        if isinstance(body, NodeList) and body.get_nodes_by_type(ForNode):
            return True
    return False


def used_variables(nodes: Iterable[Any]) -> set[str]:
    """Return the names of the context variables that the template nodes use."""
    names: set[str] = set()
    for node in nodes:
        if not isinstance(node, Node):
            continue
        names |= _variables_in(vars(node).values())
        children = {
            name for part in node.child_nodelists for name in used_variables(getattr(node, part, None) or ())
        }
        for condition, nodelist in getattr(node, "conditions_nodelists", ()):
            children |= used_variables(nodelist) | _variables_in([condition])
        if isinstance(node, WithNode):
            names |= _variables_in(node.extra_context.values())
            children -= node.extra_context.keys()
        if isinstance(node, ForNode):
            children -= {*node.loopvars, "forloop"}
        names |= children
    return names


def _variables_in(values: Iterable[Any]) -> set[str]:
    names: set[str] = set()
    for value in values:
        if isinstance(value, FilterExpression):
            arguments = (argument for _function, pairs in value.filters for _is_variable, argument in pairs)
            names |= _variables_in([value.var, *arguments])
        elif isinstance(value, Variable):
            if value.lookups:
                names.add(value.lookups[0])
        elif hasattr(value, "first") or hasattr(value, "value"):  # an operator of an {% if %} condition
            names |= _variables_in(getattr(value, operand, None) for operand in ("value", "first", "second"))
    return names
