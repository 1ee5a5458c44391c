"""What a template may use, and what it does use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.template.base import FilterExpression, Node, Variable
from django.template.defaulttags import ForNode, WithNode

AVAILABLE = frozenset(
    {
        "guest_name",
        "hotel_name",
        "arrival",
        "departure",
        "nights",
        "adults",
        "children",
        "room_type",
        "number",
    }
)


def used(nodes: Iterable[Any]) -> set[str]:
    """The names of the variables that a template takes from outside."""
    names: set[str] = set()
    for node in nodes:
        if not isinstance(node, Node):
            continue
        names |= _named(vars(node).values())
        children = {name for part in node.child_nodelists for name in used(getattr(node, part, None) or ())}
        for _condition, nodelist in getattr(node, "conditions_nodelists", ()):
            children |= used(nodelist) | _named([_condition])
        if isinstance(node, WithNode):
            names |= _named(node.extra_context.values())
            children -= node.extra_context.keys()
        if isinstance(node, ForNode):
            children -= {*node.loopvars, "forloop"}
        names |= children
    return names


def _named(values: Iterable[Any]) -> set[str]:
    names: set[str] = set()
    for value in values:
        if isinstance(value, FilterExpression):
            names |= _named([value.var, *(arg for _f, args in value.filters for _is_var, arg in args)])
        elif isinstance(value, Variable):
            if value.lookups:
                names.add(value.lookups[0])
        elif hasattr(value, "first") or hasattr(value, "value"):  # the tree of an {% if %}
            names |= _named(getattr(value, side, None) for side in ("value", "first", "second"))
    return names
