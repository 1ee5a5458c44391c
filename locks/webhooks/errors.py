"""Errors of webhooks."""

from tenants.errors import DomainError


class WebhookNotFound(DomainError):
    """No webhook has this id."""

    code = "webhook-not-found"
    status = 404
    title = "There is no such webhook"


class WebhookDeliveryNotFound(DomainError):
    """What was to be told is forgotten, or its webhook was deleted: there is nobody to tell."""

    code = "webhook-delivery-not-found"
    status = 404
    title = "There is no such notice"


class TooManyWebhooks(DomainError):
    """A hotel may have `limit` webhooks: delete one first."""

    code = "too-many-webhooks"
    title = "The hotel has as many webhooks as it may"


class InvalidWebhookURL(DomainError):
    """A webhook's address is an https address on the public internet, without a user name or a password."""

    code = "invalid-webhook-url"
    status = 422
    title = "Webhooks can't be sent to this address"


class WebhookDeliveryFailed(DomainError):
    """The other side did not answer with a status of 200 to 299 within ten seconds."""

    code = "webhook-delivery-failed"
    status = 502
    title = "The webhook did not take the notice"
