"""The payload of a failure as a tree of lines, which the page of the failure shows with the elements <details>."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dlq.corrections.declared_fields import Keys, field_schema
from dlq.kinds.fields import Path
from dlq.kinds.registry import Kind

#: The page of a failure leaves out the parts of the payload that exceed these limits: the depth of nested values, the
#: number of lines, and the length of a text. The page has a link to download the whole payload.
MAX_LEVELS = 20
MAX_NODES = 500
MAX_TEXT_LENGTH = 500
#: Objects and lists on this number of levels are expanded when the page opens.
OPEN_LEVELS = 2


@dataclass(slots=True)
class Node:
    """A line of the tree. `text` is a value of the payload, or the number of values in an object or list."""

    label: str
    text: str
    children: list["Node"] = field(default_factory=list)
    is_open: bool = False
    is_cut: bool = False


def payload_tree(payload: Any, kind: Kind) -> Node:
    """Return the payload as a tree with at most `MAX_NODES` nodes.

    The labels are the titles in the schema of the kind of failure.
    """
    return _Builder(kind).build("", payload, ())


class _Builder:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.remaining = MAX_NODES

    def build(self, label: str, value: Any, keys: Path) -> Node:
        level = len(keys)
        self.remaining -= 1
        if isinstance(value, dict) and value.keys() == {"__type__", "__value__"}:
            value = value["__value__"]
        if not isinstance(value, dict | list):
            return Node(label, _text(value), is_cut=isinstance(value, str) and len(value) > MAX_TEXT_LENGTH)
        count = len(value)
        text = ngettext("%(count)d value", "%(count)d values", count) % {"count": count}
        if level >= MAX_LEVELS:
            return Node(label, text, is_cut=count > 0)
        node = Node(label, text, is_open=level < OPEN_LEVELS)
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if self.remaining <= 0:
                node.is_cut = True
                break
            path = (*keys, key)
            node.children.append(self.build(path_title(self.kind, path), item, path))
        return node


def field_title(schema: dict[str, Any] | None, *, default: str) -> str:
    """Return the translated title of a field in its schema, or the default if the schema has no title."""
    title = (schema or {}).get("title")
    return _(title) if title else default


def path_title(kind: Kind, keys: Keys) -> str:
    """Return the title of the payload field at this path. The positions of list items are counted from 1."""
    default = str(keys[-1] + 1) if isinstance(keys[-1], int) else keys[-1]
    return field_title(field_schema(kind, keys), default=default)


def is_cut(node: Node) -> bool:
    """Return whether the tree leaves out a part of the payload."""
    return node.is_cut or any(map(is_cut, node.children))


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return _("yes") if value else _("no")
        case str():
            return value if len(value) <= MAX_TEXT_LENGTH else f"{value[:MAX_TEXT_LENGTH]}…"
        case _:
            return str(value)
