"""The template engine for templates that staff write: a selection of Django's tags and filters, with limits.

Tags that read files, settings, the request or the time are missing, as are filters whose output can be much larger than
their input. Each node and each filter reports its characters to `template_limits`, so the limits hold for all of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.template import Context, Engine, Library, Template, defaultfilters, defaulttags
from django.template.base import FilterExpression, Lexer, Node, NodeList, Parser, Token, Variable
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidTemplate
from reminders.mail import template_limits

#: The only attributes that templates may use. Other attributes could be methods of Python strings.
_FORLOOP = re.compile(r"forloop(\.parentloop)*\.(counter0?|revcounter0?|first|last|length)")
#: Tags that divide or end the block of another tag, such as `{% else %}`.
_PARTS_OF_TAGS = re.compile(r"else|elif|empty|end\w+")

register = Library()
# This list omits tags that turn off HTML escaping, because a guest's name could contain HTML.
for _name in (
    "comment", "cycle", "firstof", "for", "if", "ifchanged", "resetcycle", "spaceless", "templatetag",
    "verbatim", "widthratio", "with",
):  # fmt: skip
    register.tag(_name, defaulttags.register.tags[_name])


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a template filter whose input and output count towards the limit of characters."""

    @functools.wraps(function)
    def limited(value: Any, *arguments: Any, **options: Any) -> Any:
        template_limits.spend(_length(value))
        result = function(value, *arguments, **options)
        template_limits.spend(_length(result))
        return result

    return limited


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 1


# `{{ guest_name|center:"3000000000" }}` would need six gigabytes of memory.
for _name in (
    "capfirst", "cut", "default", "default_if_none", "divisibleby", "escape", "first", "last", "length", "linebreaks",
    "linebreaksbr", "lower", "pluralize", "slice", "slugify", "title", "truncatechars", "truncatewords", "upper",
    "urlencode", "wordcount", "yesno",
):  # fmt: skip
    register.filter(_name, _limited(defaultfilters.register.filters[_name]))


@register.filter
def add(value: object, increment: object) -> int:
    """Return the sum of two numbers. Django's `add` filter also joins texts, which could grow without limit."""
    try:
        return int(str(value)) + int(str(increment))
    except ValueError:
        # The message of the original error contains the value, which may be a guest's name.
        raise ValueError("The filter add needs two whole numbers.") from None


class SandboxEngine(Engine):
    """A template engine that has only the tags and filters of this module and can't load other templates."""

    default_builtins = ["reminders.mail.template_sandbox"]


class _SandboxParser(Parser):
    """A parser that limits the nesting of tags, forbids attributes of variables, and limits the rendering of nodes."""

    depth = -1

    def parse(self, parse_until: Iterable[str] | None = None) -> NodeList:
        self.depth += 1
        template_limits.check_depth(self.depth)
        try:
            return super().parse(parse_until)
        finally:
            self.depth -= 1

    def extend_nodelist(self, nodelist: NodeList, node: Node, token: Token) -> None:
        vars(node)["render_annotated"] = functools.partial(_render_node, node.render_annotated)
        super().extend_nodelist(nodelist, node, token)

    def compile_filter(self, token: str) -> FilterExpression:
        """Return the compiled expression. Raises InvalidTemplate if it reads an attribute of a variable.

        For example, each `hex` in `{{ guest_name.encode.hex.encode.hex }}` would double the length of the name.
        """
        expression = super().compile_filter(token)
        arguments = (argument for _function, pairs in expression.filters for _is_variable, argument in pairs)
        for variable in (expression.var, *arguments):
            if (
                isinstance(variable, Variable)
                and len(variable.lookups or ()) > 1
                and not _FORLOOP.fullmatch(str(variable.var))
            ):
                raise InvalidTemplate(
                    TranslatableMessage(
                        _("The variable “{name}” does not exist. Variables have no attributes."),
                        name=variable.var,
                    ),
                    name=str(variable.var),
                )
        return expression

    def invalid_block_tag(self, token: Token, command: str, parse_until: Any = None) -> None:
        if not _PARTS_OF_TAGS.fullmatch(command):
            message = _("Templates can't use the tag or filter “{name}”. Remove it from the template.")
            raise InvalidTemplate(TranslatableMessage(message, name=command), line=token.lineno)
        super().invalid_block_tag(token, command, parse_until)


def _render_node(render: Callable[[Context], Any], context: Context) -> Any:
    output = render(context)
    template_limits.spend_for_node(len(output))
    return output


class _SandboxTemplate(Template):
    def compile_nodelist(self) -> NodeList:
        template_limits.check_source(self.source)
        parser = _SandboxParser(
            Lexer(self.source).tokenize(),
            self.engine.template_libraries,
            self.engine.template_builtins,
            self.origin,
        )
        nodes = parser.parse()
        self.extra_data = parser.extra_data
        return nodes


_HTML_ENGINE = SandboxEngine(autoescape=True)
_TEXT_ENGINE = SandboxEngine(autoescape=False)


@functools.lru_cache(maxsize=256)
def compile_template(source: str, *, is_html: bool) -> Template:
    """Return the compiled template. Raises TemplateSyntaxError, or InvalidTemplate if a limit is exceeded."""
    return _SandboxTemplate(source, engine=_HTML_ENGINE if is_html else _TEXT_ENGINE)


def render_source(source: str, values: dict[str, Any], *, is_html: bool) -> str:
    """Return the rendered text of one part of a template. Raises InvalidTemplate."""
    try:
        with template_limits.render_budget():
            text: str = compile_template(source, is_html=is_html).render(Context(values, autoescape=is_html))
    except InvalidTemplate:
        raise
    except Exception as error:  # Django's tags and filters raise many kinds of errors.
        raise InvalidTemplate(str(error) or type(error).__name__) from error
    return text
