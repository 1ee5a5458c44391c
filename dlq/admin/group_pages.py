"""The contents of the admin pages of groups: counts in words, bars of the chart, and the operations of the forms."""

import datetime
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dlq.groups import counts, splitting, state, titles
from dlq.groups.counts import GroupCounts
from dlq.groups.models import FailureGroup, GroupState
from dlq.groups.splitting import SplitCondition
from tenants.models import User

#: The choices of the form that mutes a group: a mute ends after a period, or after a number of further failures.
MUTES: dict[str, tuple[Any, datetime.timedelta | None, int | None]] = {
    "hour": (gettext_lazy("for one hour"), datetime.timedelta(hours=1), None),
    "day": (gettext_lazy("for one day"), datetime.timedelta(days=1), None),
    "week": (gettext_lazy("for one week"), datetime.timedelta(days=7), None),
    "10": (gettext_lazy("until the group has 10 more failures"), None, 10),
    "100": (gettext_lazy("until the group has 100 more failures"), None, 100),
}
MAX_CHOICES = 100


def describe_counts(group: FailureGroup, known: GroupCounts) -> dict[str, Any]:
    """Return a text with the number of open failures, and the number of closed failures, for the template."""
    return {
        "text": titles.count_of(group, known.open) if known.is_known else _("being counted"),
        "closed": known.total - known.open,
        "counted_at": known.counted_at,
    }


def chart_of(known: GroupCounts) -> list[dict[str, Any]]:
    """Return the data of the chart of a group: for each of the last days, the failures captured and closed.

    The heights of the bars are percentages of the highest number in the chart.
    """
    days = [(day, *known.days.get(day.isoformat(), (0, 0))) for day in counts.last_days()]
    most = max(max(captured, closed) for _day, captured, closed in days) or 1
    return [
        {
            "day": day,
            "captured": captured,
            "closed": closed,
            "captured_height": 100 * captured // most,
            "closed_height": 100 * closed // most,
        }
        for day, captured, closed in days
    ]


def state_of(group: Any, known: GroupCounts) -> tuple[str, str]:
    """Return the code and the label of the group's state. A new group without open failures has the label "done"."""
    if group.state == GroupState.OPEN and known.is_known and not known.open:
        return "resolved", _("done")
    return group.state, str(GroupState(group.state).label)


def describe_mute(group: Any) -> str:
    """Return when the mute of the group ends, or an empty text if the group is not muted."""
    if group.state != GroupState.MUTED:
        return ""
    ends = []
    if group.muted_until:
        until = timezone.localtime(group.muted_until)
        ends.append(_("Muted until %(time)s.") % {"time": date_format(until, "DATETIME_FORMAT")})
    if group.mute_limit:
        text = ngettext(
            "Muted until %(count)d more failure.", "Muted until %(count)d more failures.", group.mute_limit
        )
        ends.append(text % {"count": group.mute_limit})
    return " ".join(ends)


def form_choices(group: FailureGroup) -> dict[str, Any]:
    """Return the choices of the forms on the page of a group."""
    others = FailureGroup.objects.visible().exclude(pk=group.pk).defer("traceback")
    return {
        "mutes": [(value, label) for value, (label, _period, _limit) in MUTES.items()],
        "staff": User.objects.filter(is_active=True).order_by("username"),
        "groups": [
            (other.pk, titles.title_of(other), titles.cause_of(other))
            for other in others.order_by("-last_seen_at", "pk")[:MAX_CHOICES]
        ],
    }


def perform(group: FailureGroup, form: QueryDict) -> str:
    """Perform the operation of a submitted form, and return a message for the user. Raises DomainError."""
    fingerprint, operation = group.pk, form.get("operation", "")
    match operation:
        case "acknowledge":
            state.acknowledge(fingerprint=fingerprint)
            text = _(
                "The group was acknowledged. The group needs attention again if its error occurs in a new version."
            )
        case "reopen":
            state.reopen(fingerprint=fingerprint)
            text = _("The group is no longer acknowledged.")
        case "mute":
            _label, period, limit = MUTES.get(form.get("mute", ""), MUTES["day"])
            until = timezone.now() + period if period else None
            state.mute(fingerprint=fingerprint, until=until, limit=limit)
            text = _("The group is muted. No alerts are sent for this group.")
        case "unmute":
            state.unmute(fingerprint=fingerprint)
            text = _("The group is no longer muted.")
        case "assign":
            state.assign(fingerprint=fingerprint, user_id=_uuid(form.get("user", "")))
            text = _("The assignment was saved.")
        case "note":
            state.annotate(fingerprint=fingerprint, note=form.get("note", "").strip())
            text = _("The note was saved.")
        case "join":
            splitting.join(fingerprint=fingerprint, into=form.get("into", ""))
            text = _("The groups were joined.")
        case "separate":
            splitting.separate(fingerprint=form.get("joined", ""))
            text = _("The group was separated.")
        case "split":
            parts = {name: form.get(name, "").strip() for name in ("text", "source", "field", "value")}
            splitting.split(fingerprint=fingerprint, condition=SplitCondition(**parts))
            text = _("The group was split.")
        case _:
            text = ""
    return text


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return UUID(int=0)  # No member of staff has this id.
