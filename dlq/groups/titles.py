"""The titles of groups for people who know the hotel and not the code, such as "Reminders could not be sent".

An app declares the title of its kind, and the noun for the work that failed, when Django starts:

    declare_title("reminders.send", title=_("Reminders could not be sent"), count=count_reminders)

`count` is a function that returns a number with its noun, such as "37 reminders". It calls `ngettext`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dlq.events import ERRORS, NAMES

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    from dlq.groups.models import FailureGroup

Counter = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Title:
    title: str | StrPromise
    count: Counter


_titles: dict[str, Title] = {}
#: The titles of the tasks of other apps. These apps cannot import this module, because this app imports them.
_TASK_TITLES: dict[str, StrPromise] = {
    "locks.tasks.send_webhook_deliveries": _("Webhooks could not be delivered"),
    "locks.tasks.expire_holds": _("Holds could not be released"),
    "locks.tasks.process_waiting_list": _("The waiting list could not be processed"),
}


def declare_title(name: str, *, title: str | StrPromise, count: Counter) -> None:
    """Declare the title that staff see for groups of failures with this name."""
    _titles[name] = Title(title, count)


def title_of(group: FailureGroup) -> str:
    """Return what happened, without the cause, for example "Reminders could not be sent".

    If no title is declared for the name of the failures, return the label of the name.
    """
    if declared := _titles.get(group.name):
        return str(declared.title)
    if group.name in _TASK_TITLES:
        return str(_TASK_TITLES[group.name])
    return str(capfirst(str(NAMES[group.name]))) if group.name in NAMES else group.name


def cause_of(group: FailureGroup) -> str:
    """Return the cause of the group: the label of its error type, if any, and the message of its first error."""
    label = ERRORS.get(group.error_type)
    message = group.localized_message or group.error_type.rpartition(".")[2]
    return f"{capfirst(str(label))}: {message}" if label and str(label) not in message else message


def count_of(group: FailureGroup, number: int) -> str:
    """Return the number with its noun: "37 reminders". The default noun is "failures"."""
    declared = _titles.get(group.name)
    if declared:
        return declared.count(number)
    return ngettext("%(count)d failure", "%(count)d failures", number) % {"count": number}
