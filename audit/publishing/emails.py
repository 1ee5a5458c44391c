"""The daily e-mails with the newest checkpoints, to the auditors of the hotels and of the platform.

An e-mail is sent at most once a day for each log. Before the e-mail is sent, the day is committed in `Log.emailed_on`,
with an update that succeeds in one process only. If the process is killed after this commit, the e-mail may or may not
have been sent, so no other e-mail is sent on this day. The next day's e-mail has a newer checkpoint. The day is
released only if the mail server replied that it did not accept the e-mail for now, so the next run tries again.
"""

import smtplib
import zoneinfo
from contextlib import suppress
from datetime import UTC, date, datetime, tzinfo
from typing import Any

import structlog
from django.core.mail import get_connection
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop as _

from audit.publishing import states
from audit.publishing.message import build_message
from audit.publishing.models import Auditor
from audit.sealing import logs
from audit.sealing.models import Log
from hotelagent.core.messages import TranslatableMessage
from tenants.context import platform_context
from tenants.database.clock import database_now

log = structlog.get_logger(__name__)

_UNKNOWN = _("It is not known whether the mail server accepted the e-mail. It is not sent again today.")


def email_checkpoints() -> int:
    """Send the e-mails that are due, and return the number of e-mails that the mail server accepted.

    The function must not be called in a transaction.
    """
    auditors = _auditors()
    has_auditor = Q(hotel_id__in=[hotel_id for hotel_id in auditors if hotel_id])
    if None in auditors:
        has_auditor |= Q(hotel_id=None)
    states.forget_target(states.EMAIL, ~has_auditor)
    if not auditors:
        return 0
    with platform_context():
        now = database_now()
    days = {hotel_id: _day_of(auditor, now) for hotel_id, auditor in auditors.items()}
    due = [
        log_
        for log_ in states.find_unpublished(states.EMAIL, has_auditor)
        if log_.emailed_on is None or log_.emailed_on < days[log_.hotel_id]
    ]
    sent = 0
    for number, log_ in enumerate(due):
        # Each e-mail has a separate connection, because a server may close a connection that was open for long.
        # If a server closes the connection during an e-mail, it is unknown whether the e-mail was sent.
        backend = get_connection()
        try:
            backend.open()
        except (smtplib.SMTPException, OSError) as error:
            _store_server_down(due[number:], error)
            break
        sent += _send(log_, auditors[log_.hotel_id], days[log_.hotel_id], backend)
    return sent


def _auditors() -> dict[Any, Auditor]:
    """Return the auditors with an e-mail address, by the id of their hotel. The key of the platform is None."""
    with platform_context():
        found = Auditor.all_tenants.exclude(email="").select_related("hotel")
        return {auditor.hotel_id: auditor for auditor in found}


def _day_of(auditor: Auditor, now: datetime) -> date:
    """Return the date in the hotel's time zone, or in UTC if this process does not know the time zone."""
    zone: tzinfo = UTC
    if auditor.hotel is not None:
        with suppress(zoneinfo.ZoneInfoNotFoundError, ValueError):
            zone = zoneinfo.ZoneInfo(auditor.hotel.time_zone)
    return now.astimezone(zone).date()


def _store_server_down(waiting: list[Log], error: Exception) -> None:
    """Store that the mail server can't be reached, for all e-mails of this run that were not sent.

    A later run sends these e-mails, because each attempt now would wait for the same timeout.
    """
    reason = TranslatableMessage(_("The mail server can't be reached: {error}"), error=type(error).__name__)
    log.warning("audit.mail_server_down", error=type(error).__name__, waiting=len(waiting))
    for log_ in waiting:
        states.store_failure(log_, states.EMAIL, reason)


def _send(log_: Log, auditor: Auditor, day: date, backend: Any) -> bool:
    """Send one e-mail, unless another process sends it. Return whether the mail server accepted the e-mail."""
    last = logs.last_checkpoint(log_)
    try:
        if last is None:
            return False
        message = build_message(log_, last, auditor, day)
        if not _claim(log_, day):
            return False
        backend.send_messages([message])
    except Exception as error:  # noqa: BLE001 - SMTP and each provider have their own errors
        log.warning("audit.checkpoint_not_emailed", log=log_.origin, error=type(error).__name__)
        _store_refusal(log_, error)
        return False
    finally:
        with suppress(smtplib.SMTPException, OSError):
            backend.close()
    states.store_success(log_, states.EMAIL, last.size)
    return True


def _claim(log_: Log, day: date) -> bool:
    """Commit that this process sends the e-mail of this day.

    Return False if another process has already committed this. Until a result is stored, the state of the log says that
    the result is unknown.
    """
    with platform_context(), transaction.atomic(durable=True):
        unknown = states.failed_state(log_, states.EMAIL, TranslatableMessage(_UNKNOWN))
        return bool(
            Log.objects.filter(Q(emailed_on=None) | Q(emailed_on__lt=day), pk=log_.pk).update(
                emailed_on=day, published=states.with_state(states.EMAIL, unknown)
            )
        )


def _store_refusal(log_: Log, error: Exception) -> None:
    """Store that the mail server refused the e-mail. Other errors leave the result unknown.

    The reply of the server is not stored, because it may contain the address.
    """
    code = _reply_code(error)
    if code is None or not 400 <= code < 600:
        return
    reason = TranslatableMessage(_("The mail server refused the e-mail with the status {code}."), code=code)
    states.store_failure(log_, states.EMAIL, reason)
    if code < 500:
        with platform_context():
            Log.objects.filter(pk=log_.pk).update(emailed_on=log_.emailed_on)


def _reply_code(error: Exception) -> int | None:
    """Return the code with which the mail server refused the e-mail, or None if the mail server did not refuse it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((code for code, _reply in error.recipients.values()), None)
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
