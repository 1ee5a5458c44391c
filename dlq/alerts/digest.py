"""Alert e-mails about failures. One e-mail lists all problems that should be reported.

While a problem lasts, it is reported once a day. Within an hour after an e-mail, only a new error causes another
e-mail. Two e-mails are at least `MIN_PAUSE` apart.

If the mail server fails, the error is logged, and the alert is sent again after `MIN_PAUSE`. A failing alert is not
captured as a failure, because that failure could cause the next alert.
"""

import datetime
from collections.abc import Iterable
from typing import Any

import structlog
from django.core.mail import get_connection
from django.db import transaction

from dlq.alerts.findings import Finding, GroupFinding, find_problems
from dlq.alerts.message import build_messages
from dlq.alerts.models import FailureFigures
from dlq.retention.models import FailureSettings
from tenants.database.clock import database_now
from tenants.unaudited import unaudited

log = structlog.get_logger(__name__)

#: The shortest time between two alert e-mails, or between two attempts to send an alert e-mail.
MIN_PAUSE = datetime.timedelta(minutes=10)
#: The minimum time between two alert e-mails if no new error occurs.
PAUSE = datetime.timedelta(hours=1)
#: A problem that lasts is reported again after this time.
REMIND_AFTER = datetime.timedelta(days=1)
#: A problem that was absent for longer than this time is reported as a new problem when it occurs again.
FORGET_AFTER = datetime.timedelta(hours=2)


def is_due() -> bool:
    """Return whether the current tenant has problems that should be reported now."""
    settings = FailureSettings.objects.read()
    if not settings.alerts_enabled:
        return False
    figures = FailureFigures.objects.for_tenant().first()
    now = database_now()
    problems = find_problems(settings, now)
    state = figures.alert_state if figures else {}
    if figures and problems and state.get("reported"):
        _remember(problems, now)
    return _should_send(problems, state, now)


@unaudited("The digest goes to the addresses in the settings, whose changes are recorded.")
def send_if_due() -> int:
    """Send the e-mails about the current tenant's failures if an alert is due. Return the number of sent e-mails."""
    settings = FailureSettings.objects.read()
    with transaction.atomic():
        figures = FailureFigures.objects.lock()
        now = database_now()
        problems = find_problems(settings, now) if settings.alerts_enabled else []
        if not _should_send(problems, figures.alert_state, now):
            return 0
        # The time of sending is committed before the e-mail is sent, so that no other worker sends the same e-mail.
        figures.alert_state = {**figures.alert_state, "tried_at": now.isoformat()}
        figures.save(update_fields=["alert_state"])
    sent = _send(build_messages(problems, settings))
    if sent:
        with transaction.atomic():
            figures = FailureFigures.objects.lock()
            reported = _current(figures.alert_state, now)
            reported |= {problem.key: [now.isoformat(), now.isoformat()] for problem in problems}
            figures.alert_state = {**figures.alert_state, "sent_at": now.isoformat(), "reported": reported}
            figures.save(update_fields=["alert_state"])
    return sent


def _should_send(problems: list[Finding], state: dict[str, Any], now: datetime.datetime) -> bool:
    if not problems or _is_within(state.get("tried_at"), MIN_PAUSE, now):
        return False
    reported = _current(state, now)
    unreported = [problem for problem in problems if problem.key not in reported]
    if _is_within(state.get("sent_at"), PAUSE, now):
        return any(isinstance(problem, GroupFinding) for problem in unreported)
    is_reminder = any(
        not isinstance(problem, GroupFinding) and not _is_within(reported[problem.key][0], REMIND_AFTER, now)
        for problem in problems
        if problem.key in reported
    )
    return bool(unreported) or is_reminder


def _is_within(moment: str | None, period: datetime.timedelta, now: datetime.datetime) -> bool:
    return moment is not None and now - datetime.datetime.fromisoformat(moment) < period


def _current(state: dict[str, Any], now: datetime.datetime) -> dict[str, list[str]]:
    """Return a dict with the keys of the reported problems that were seen within the last `FORGET_AFTER`.

    The value of each problem is a list of two times: when the problem was reported and when it was last seen.
    """
    reported: dict[str, list[str]] = state.get("reported", {})
    return {key: times for key, times in reported.items() if _is_within(times[1], FORGET_AFTER, now)}


@unaudited("When the last digest was sent is no business data.")
def _remember(problems: Iterable[Finding], now: datetime.datetime) -> None:
    """Store `now` as the time at which the reported problems were last seen."""
    with transaction.atomic():
        figures = FailureFigures.objects.lock()
        reported = _current(figures.alert_state, now)
        for problem in problems:
            if problem.key in reported:
                reported[problem.key][1] = now.isoformat()
        figures.alert_state = {**figures.alert_state, "reported": reported}
        figures.save(update_fields=["alert_state"])


def _send(messages: Iterable[Any]) -> int:
    """Send the e-mails one by one. Return the number of e-mails that the mail server accepted. Errors are logged."""
    sent = 0
    backend = get_connection()
    for message in messages:
        message.connection = backend
        try:
            sent += message.send() or 0
        except Exception as error:  # noqa: BLE001 - SMTP and each provider have their own errors
            log.warning("alert.not_sent", error=type(error).__name__)
    return sent
