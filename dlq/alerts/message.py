"""The e-mail that reports problems with failures to staff, in their language."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import get_template
from django.utils import formats, translation
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dlq.alerts.findings import Finding, GroupFinding, Threshold
from dlq.events import ERRORS, NAMES
from dlq.retention.models import FailureSettings
from hotelagent.core.domains import AUTOMATIC_MAIL_HEADERS, encode_address, sender
from hotelagent.core.text import single_line
from tenants.context import Tenant, current_tenant
from tenants.host_routing import page_path, public_url
from tenants.models import User
from tenants.scopes import Role

#: The largest number of groups that one e-mail lists.
MAX_GROUPS = 10
_COLOUR, _TEXT_COLOUR = "#1f4e5f", "#ffffff"


@dataclass(frozen=True, slots=True)
class _Recipient:
    address: str
    language: str


@dataclass(frozen=True, slots=True)
class _GroupLine:
    """A group in the e-mail: what failed, the error, the number of open failures, and the page that lists them."""

    title: str
    error: str
    count: str
    url: str


def build_messages(problems: list[Finding], settings: FailureSettings) -> Iterator[EmailMultiAlternatives]:
    """Yield one e-mail for each recipient of the current tenant's alerts."""
    for recipient in _recipients(settings):
        with translation.override(recipient.language):
            yield _message(problems, recipient.address)


def _recipients(settings: FailureSettings) -> list[_Recipient]:
    """Return the addresses in the alert settings.

    If there are none, return the addresses of the managers. If no manager has an address, return the address
    of the hotel.
    """
    tenant = current_tenant()
    if settings.alert_recipients:
        return [_Recipient(address, tenant.language) for address in settings.alert_recipients]
    role = Role.PLATFORM if tenant.is_platform else Role.MANAGER
    managers = User.objects.filter(role=role, is_active=True).exclude(email="").order_by("email")
    recipients = {user.email: _Recipient(user.email, user.language or tenant.language) for user in managers}
    if not recipients and tenant.email:
        return [_Recipient(tenant.email, tenant.language)]
    return list(recipients.values())


def _message(problems: list[Finding], address: str) -> EmailMultiAlternatives:
    tenant = current_tenant()
    name = single_line(tenant.name) or "hotelagent"
    context = {
        "facts": [_describe(problem) for problem in problems if isinstance(problem, Threshold)],
        "new": _group_lines(problems, is_new=True),
        "again": _group_lines(problems, is_new=False),
        # An alert counts all open failures. So its link opens the list of all failures, not only the failures that need
        # a decision.
        "list_url": _page(tenant, "dlq_failure_changelist") + "?view=all",
    }
    settings_url = _page(tenant, "dlq_failuresettings_changelist")
    reason = _(
        "You receive this e-mail because alerts about failures at %(hotel)s are sent to your address."
    ) % {"hotel": name}
    footer_link = _("Change the alerts")
    subject = f"{name}: {_subject(problems)}"
    language = translation.get_language() or django_settings.LANGUAGE_CODE
    html = get_template("hotelagent/mail.html").render(
        {
            "subject": subject,
            "body": get_template("dlq/alert.html").render(context),
            "language": language,
            "direction": "ltr",
            "branding": {"hotel": {"name": name}, "colour": _COLOUR, "text_colour": _TEXT_COLOUR},
            "footer_language": language,
            "reason": reason,
            "footer_link": footer_link,
            "footer_url": settings_url,
        }
    )
    text = get_template("dlq/alert.txt").render(context).strip()
    message = EmailMultiAlternatives(
        subject=subject,
        body=f"{text}\n\n-- \n{reason}\n{footer_link}: {settings_url}\n",
        from_email=sender(name),
        to=[encode_address(address)],
        headers={
            "Content-Language": language,
            **AUTOMATIC_MAIL_HEADERS,
        },
    )
    message.attach_alternative(html, "text/html")
    return message


def _subject(problems: Iterable[Finding]) -> str:
    """Return the most important problem, for the subject of the e-mail."""
    thresholds = {problem.key: problem for problem in problems if isinstance(problem, Threshold)}
    for key in ("rate", "open", "age"):
        if key in thresholds:
            return _describe(thresholds[key], with_limit=False)
    if any(problem.is_new for problem in problems if isinstance(problem, GroupFinding)):
        return _("a new error occurred")
    return _("an error occurred again")


def _describe(problem: Threshold, *, with_limit: bool = True) -> str:
    texts = {
        "open": ngettext("%(number)s failure is open", "%(number)s failures are open", problem.number),
        "age": ngettext(
            "a failure has been open for %(number)s hour",
            "a failure has been open for %(number)s hours",
            problem.number,
        ),
        "rate": ngettext(
            "%(number)s task or message failed within an hour",
            "%(number)s tasks and messages failed within an hour",
            problem.number,
        ),
    }
    text = texts[problem.key] % {"number": _number(problem.number)}
    if not with_limit:
        return text
    return _("%(fact)s (limit: %(limit)d)") % {"fact": text[:1].upper() + text[1:], "limit": problem.limit}


def _number(number: int) -> str:
    return str(formats.number_format(number, force_grouping=True))


def _group_lines(problems: Iterable[Finding], *, is_new: bool) -> dict[str, Any]:
    groups = [
        problem for problem in problems if isinstance(problem, GroupFinding) and problem.is_new == is_new
    ]
    groups.sort(key=lambda problem: -problem.open_count)
    return {
        "lines": [_group_line(problem) for problem in groups[:MAX_GROUPS]],
        "more": max(0, len(groups) - MAX_GROUPS),
    }


def _group_line(problem: GroupFinding) -> _GroupLine:
    group = problem.group
    error = str(ERRORS.get(group.error_type, group.error_type.rpartition(".")[2]))
    count = ngettext("%(number)s open failure", "%(number)s open failures", problem.open_count) % {
        "number": _number(problem.open_count)
    }
    list_url = _page(current_tenant(), "dlq_failure_changelist")
    return _GroupLine(
        title=str(NAMES.get(group.name, group.name)),
        error=Truncator(single_line(f"{error}: {group.localized_message}")).chars(200),
        count=count,
        url=f"{list_url}?fingerprint={group.fingerprint}",
    )


def _page(tenant: Tenant, name: str) -> str:
    """Return the URL of a page of the tenant's admin."""
    return public_url(tenant) + page_path(tenant, f"admin:{name}")
