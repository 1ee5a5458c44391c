"""Audit events of webhooks."""

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from audit.registry import register
from locks.webhooks import policy
from locks.webhooks.errors import InvalidWebhookURL, WebhookDeliveryFailed

#: Why a webhook was switched off.
GONE = "it answered 410 Gone"
FAILING = f"it took nothing for {policy.FAILING_DAYS} days"
#: Why a test was not taken where no status says it; what exactly it was is told to who sent it.
_UNTOLD = {
    WebhookDeliveryFailed.code: _("it was not delivered"),
    InvalidWebhookURL.code: _("the address is not allowed"),
}

WEBHOOK_CREATED = register(
    "webhook.created", description=_("{actor} made a webhook to {host}"), fields=("host", "events")
)
WEBHOOK_UPDATED = register(
    "webhook.updated",
    description=_("{actor} changed the webhook to {host}: {changes}"),
    fields=("host", "changes"),
)
WEBHOOK_DELETED = register(
    "webhook.deleted", description=_("{actor} deleted the webhook to {host}"), fields=("host",)
)
WEBHOOK_TESTED = register(
    "webhook.tested",
    description=_("{actor} sent a test to the webhook at {host}: {outcome}"),
    fields=("host", "outcome"),
    labels={"outcome": _UNTOLD},
)
WEBHOOK_SECRET_ROTATED = register(
    "webhook.secret_rotated",
    description=_("{actor} gave the webhook to {host} a new secret"),
    fields=("host", "old_until"),
)
WEBHOOK_DISABLED = register(
    "webhook.disabled",
    description=_("The webhook to {host} was switched off: {why}"),
    fields=("host", "why"),
    labels={
        "why": {
            GONE: _("it answered 410 Gone"),
            FAILING: format_lazy(_("it took nothing for {days} days"), days=policy.FAILING_DAYS),
        }
    },
)
