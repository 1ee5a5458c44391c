"""What staff's templates may do with values: Django's tags, and those of its filters that no template can make large
by.

One deployment serves many hotels. `{{ guest_name|center:"3000000000" }}` took six gigabytes of the process that all
of them share, and so would `join`, `pprint` or `add` upon themselves.
"""

from __future__ import annotations

from django.template import Engine, Library, Template, TemplateSyntaxError, defaultfilters
from django.template.base import NodeList
from django.template.defaulttags import ForNode

register = Library()
for _name in (
    "capfirst", "cut", "default", "default_if_none", "divisibleby", "escape", "first", "last", "length", "linebreaks",
    "linebreaksbr", "lower", "pluralize", "slice", "slugify", "striptags", "title", "truncatechars", "truncatewords",
    "upper", "urlencode", "wordcount", "yesno",
):  # fmt: skip
    register.filter(_name, defaultfilters.register.filters[_name])


@register.filter
def add(value: object, more: object) -> int:
    """Numbers only: Django's joins texts too, and so doubles them."""
    return int(str(value)) + int(str(more))


class StaffEngine(Engine):
    default_builtins = ["django.template.defaulttags", "reminders.mail.template_sandbox"]


def check_loops(template: Template) -> None:
    """Raise TemplateSyntaxError for a loop in a loop: six of them go round a name of 200 letters for years."""
    for loop in template.nodelist.get_nodes_by_type(ForNode):
        inside = getattr(loop, "nodelist_loop", None)
        if isinstance(inside, NodeList) and inside.get_nodes_by_type(ForNode):
            raise TemplateSyntaxError("a loop can't stand in a loop.")
