"""The limits of templates that staff write: the length, the tags, and the work of rendering.

A process serves many hotels, so a template must not use much memory or time. The limits apply when a template is saved
and whenever it is rendered, because a stored template may be older than a limit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidTemplate

#: The maximum number of characters of one part of a template. Gmail cuts off messages that are longer than 102 kB.
MAX_LENGTH = 60_000
#: The maximum number of variables, tags and comments in one part of a template.
MAX_TAGS = 1_000
#: The maximum number of characters of a variable, tag or comment.
MAX_TAG_LENGTH = 500
#: The maximum number of tags such as `{% if %}` and `{% for %}` that may be open at the same time.
MAX_DEPTH = 20
#: The maximum number of characters that the nodes and filters of one part (subject, text or HTML) may produce.
#: The characters inside a tag such as `{% if %}` are counted a second time, for the tag itself.
#: Each node adds 10 characters to the count, because rendering a node without output takes time too.
MAX_RENDERED_CHARACTERS = 500_000
_NODE_CHARACTERS = 10
#: The processor time is read once per this number of calls, because reading it takes as long as rendering a node.
_CALLS_PER_TIME_CHECK = 50
#: The maximum processor time in seconds for rendering one part. The time of other threads is not counted.
MAX_RENDER_SECONDS = 1.0

_TAG_ENDS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_TAG_START = re.compile("|".join(map(re.escape, _TAG_ENDS)))


class _Budget:
    """The characters and the processor time that remain for rendering one part of a template."""

    __slots__ = ("calls", "characters", "ends_at")

    def __init__(self) -> None:
        self.calls = 0
        self.characters = MAX_RENDERED_CHARACTERS
        self.ends_at = time.thread_time() + MAX_RENDER_SECONDS

    def spend(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise _error(
                _(
                    "The template produces too much text (limit: {limit} characters). Shorten its text or loops."
                ),
                limit=MAX_RENDERED_CHARACTERS,
            )
        self.calls += 1
        if self.calls % _CALLS_PER_TIME_CHECK == 0 and time.thread_time() > self.ends_at:
            raise _error(_("The template takes too long to render. Simplify its loops and filters."))


_budget: ContextVar[_Budget] = ContextVar("template_budget")


@contextmanager
def render_budget() -> Iterator[None]:
    """Limit the work of rendering one part of a template inside this context manager."""
    token = _budget.set(_Budget())
    try:
        yield
    finally:
        _budget.reset(token)


def spend(characters: int) -> None:
    """Record that a filter has read or produced this many characters.

    Raises InvalidTemplate if the template exceeds the limit of characters or of CPU time.
    """
    _budget.get().spend(characters)


def spend_for_node(characters: int) -> None:
    """Record that a node has produced this many characters. Raises InvalidTemplate as `spend` does."""
    _budget.get().spend(_NODE_CHARACTERS + characters)


def check_source(source: str) -> None:
    """Raise InvalidTemplate if the source is too long, or if its tags are too many or too long.

    The check runs before Django's lexer and parser. The lexer takes quadratic time for tags that are not closed, and
    long conditions exceed Python's recursion limit.
    """
    if len(source) > MAX_LENGTH:
        raise _error(
            _("The text is too long: {length} characters (limit: {limit}). Shorten the text."),
            length=len(source),
            limit=MAX_LENGTH,
        )
    tags = list(_TAG_START.finditer(source))
    if len(tags) > MAX_TAGS:
        raise _error(_("The template has too many variables and tags (limit: {limit})."), limit=MAX_TAGS)
    for tag in tags:
        if source.find(_TAG_ENDS[tag[0]], tag.end(), tag.end() + MAX_TAG_LENGTH + 2) == -1:
            raise _error(
                _("The tag “{start}…” is too long (limit: {limit} characters), or it is not closed."),
                start=source[tag.start() :][:20],
                limit=MAX_TAG_LENGTH,
            )


def check_depth(depth: int) -> None:
    """Raise InvalidTemplate if `depth`, the number of tags that are open at the same time, exceeds the limit."""
    if depth > MAX_DEPTH:
        raise _error(_("The tags are nested too deeply (limit: {limit} levels)."), limit=MAX_DEPTH)


def _error(message: str, **params: object) -> InvalidTemplate:
    return InvalidTemplate(TranslatableMessage(message, **params))
