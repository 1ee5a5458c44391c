"""Errors of webhooks. The docstrings are shown to API clients at /problems/<code>."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class WebhookNotFound(DomainError):
    """The hotel has no webhook with this id."""

    code = "webhook-not-found"
    status = 404
    title = _("Webhook not found")


class WebhookDeliveryNotFound(DomainError):
    """The delivery was deleted after its retention period, or together with its webhook."""

    code = "webhook-delivery-not-found"
    status = 404
    title = _("Webhook delivery not found")


class TooManyWebhooks(DomainError):
    """The hotel has reached the maximum number of webhooks, `limit`. Delete a webhook first."""

    code = "too-many-webhooks"
    title = _("Too many webhooks")


class InvalidWebhookURL(DomainError):
    """The URL must use https, point to a host on the public internet and contain no user name or password."""

    code = "invalid-webhook-url"
    status = 422
    title = _("Invalid webhook URL")


class WebhookDeliveryFailed(DomainError):
    """The server did not respond with a 2xx status within ten seconds."""

    code = "webhook-delivery-failed"
    status = 502
    title = _("Webhook delivery failed")
