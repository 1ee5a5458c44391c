"""The audit events of webhooks.

The events contain the host of a webhook and not its URL, because the path may hold a secret of the other system.
"""

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.events import FIELD_LABELS
from audit.registry import CountedDescription, Outcome, Severity, register, register_operation
from locks.webhooks import policy
from locks.webhooks.errors import InvalidWebhookURL, WebhookDeliveryFailed

#: Reasons why a webhook was turned off.
GONE = "gone"
FAILING = "failing"

WEBHOOK_CREATED = register(
    "webhook.created", description=_("{actor} created the webhook to {host}"), fields=("host", "events")
)
WEBHOOK_UPDATED = register(
    "webhook.updated",
    description=_("{actor} changed the webhook to {host}: {changes}"),
    fields=("host", "changes"),
    labels={"changes": FIELD_LABELS},
)
WEBHOOK_DELETED = register(
    "webhook.deleted", description=_("{actor} deleted the webhook to {host}"), fields=("host",)
)
WEBHOOK_TESTED = register_operation(
    "webhook.tested",
    description=_("{actor} sent a test event to the webhook to {host}: {outcome}"),
    fields=("host", "outcome"),
    # The field `outcome` contains the HTTP status of the webhook's response, or the code of an error.
    labels={
        "outcome": {
            WebhookDeliveryFailed.code: _("not delivered"),
            InvalidWebhookURL.code: _("the URL is not allowed"),
        }
    },
)
WEBHOOK_SECRET_ROTATED = register(
    "webhook.secret_rotated",
    description=_("{actor} rotated the signing secret of the webhook to {host}"),
    fields=("host", "previous_secret_expires_at"),
    severity=Severity.NOTICE,
)
# This audit event does not repeat the data of the allocation. The row of the webhook delivery contains the data.
WEBHOOK_DELIVERED = register_operation(
    "webhook.delivered",
    description=_("The event {reported} was delivered to {host} (attempt {attempts})"),
    fields=("delivery", "reported", "host", "attempts"),
)
WEBHOOK_DELIVERY_FAILED = register_operation(
    "webhook.delivery_failed",
    description=CountedDescription(
        "attempts",
        lambda count: ngettext(
            "The event {reported} could not be delivered to {host} ({attempts} attempt)",
            "The event {reported} could not be delivered to {host} ({attempts} attempts)",
            count,
        ),
    ),
    fields=("delivery", "reported", "host", "attempts"),
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
WEBHOOK_TURNED_OFF = register_operation(
    "webhook.turned_off",
    description=_("The webhook to {host} was turned off: {reason}"),
    fields=("host", "reason"),
    labels={
        "reason": {
            GONE: _("the receiving server responded with 410 Gone"),
            FAILING: format_lazy(_("all attempts failed for {days} days"), days=policy.TURN_OFF_AFTER_DAYS),
        }
    },
    severity=Severity.WARNING,
)
