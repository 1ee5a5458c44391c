"""Validation of templates when staff save them: syntax, limits, variables, and the rendering of two reservations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.template import Template as CompiledTemplate
from django.template import TemplateSyntaxError
from django.template.base import FilterExpression, Node, NodeList, Variable
from django.template.defaulttags import ForNode, IfNode, WithNode
from django.utils.translation import gettext as _

from reminders.errors import InvalidTemplate
from reminders.mail.rendering import (
    FALLBACK_LANGUAGE,
    TEMPLATE_VARIABLES,
    example_reservation,
    render_parts,
)
from reminders.mail.template_sandbox import compile_template
from reminders.models import Reservation, Template


def validate_template(*, subject: str, text: str, html: str) -> None:
    """Raise InvalidTemplate unless all parts compile, render, and use only variables that exist.

    The parts are rendered for an ordinary reservation and for a reservation with the longest values, because a loop
    over the guest's name produces more text for a longer name. The error has these attributes: `part` is the part of
    the template, `line` is the number of the line if it is known, and `unknown` lists the unknown variables.
    """
    if errors := find_errors(subject=subject, text=text, html=html):
        raise errors[0]


def find_errors(*, subject: str, text: str, html: str) -> list[InvalidTemplate]:
    """Return the first error of each part of a template, as `validate_template` raises it."""
    errors = []
    for part, source, is_html in (("subject", subject, False), ("text", text, False), ("html", html, True)):
        try:
            _validate_part(part, source, is_html=is_html)
        except InvalidTemplate as error:
            errors.append(error)
    return errors


def _validate_part(part: str, source: str, *, is_html: bool) -> None:
    _validate_compiled(part, source, is_html=is_html)
    trial = Template(language=FALLBACK_LANGUAGE, **{part: source})
    try:
        render_parts(trial, reservation=example_reservation(), hotel_name="")
        render_parts(trial, reservation=_longest_reservation(), hotel_name="W" * 200)
    except InvalidTemplate as error:
        raise InvalidTemplate(error.detail, part=part) from error


def _longest_reservation() -> Reservation:
    """Return an unsaved reservation whose texts have the maximum length of their columns."""
    reservation = example_reservation()
    reservation.external_id, reservation.guest_name, reservation.room_type = "W" * 64, "W" * 200, "W" * 40
    return reservation


def _validate_compiled(part: str, source: str, *, is_html: bool) -> None:
    try:
        compiled = compile_template(source, is_html=is_html)
    except TemplateSyntaxError as error:
        # Django's parser stores the token with the error, and the token has a line number.
        token = getattr(error, "token", None)
        raise InvalidTemplate(str(error), part=part, line=getattr(token, "lineno", None)) from error
    except InvalidTemplate as error:
        line = error.extra.get("line") or _line_of(source, error.extra.get("name", ""))
        raise InvalidTemplate(error.detail, part=part, line=line) from error
    if _has_nested_loops(compiled):
        raise InvalidTemplate(_("A loop can't contain another loop. Remove one of the loops."), part=part)
    if unknown := sorted(used_variables(compiled.nodelist) - TEMPLATE_VARIABLES):
        raise InvalidTemplate(
            _("Unknown variable: %(unknown)s. Available variables: %(available)s.")
            % {"unknown": ", ".join(unknown), "available": ", ".join(sorted(TEMPLATE_VARIABLES))},
            part=part,
            line=_line_of(source, unknown[0]),
            unknown=unknown,
        )


def _line_of(source: str, name: str) -> int | None:
    """Return the number of the first line with a variable or tag that contains the name, or None."""
    found = re.search(rf"\{{[{{%][^{{}}]*\b{re.escape(name)}\b", source) if name else None
    return source.count("\n", 0, found.end()) + 1 if found else None


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
        children: set[str] = set()
        # The attribute `nodelist` of an IfNode contains the nodes of all branches, so the branches are read instead.
        if isinstance(node, IfNode):
            for condition, nodelist in node.conditions_nodelists:
                children |= used_variables(nodelist) | _variables_in([condition])
        else:
            for part in node.child_nodelists:
                children |= used_variables(getattr(node, part, None) or ())
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
        elif hasattr(value, "first") or hasattr(value, "value"):  # an operator in an {% if %} condition
            names |= _variables_in(getattr(value, operand, None) for operand in ("value", "first", "second"))
    return names
