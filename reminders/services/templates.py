"""Services for the templates of rules."""

from reminders.mail.branding import branding_context
from reminders.mail.message_builder import build_test_message
from reminders.models import Template
from reminders.sending.smtp import Transport
from tenants.context import current_hotel


def send_test_message(template: Template, *, recipient: str) -> None:
    """Send the template to a member of staff, as the guest of the newest reservation would receive it.

    Raises InvalidTemplate, MailRejected, MailDeferred or MailOutcomeUnknown.
    """
    message = build_test_message(template, recipient=recipient, branding=branding_context(current_hotel()))
    with Transport() as transport:
        transport.send(message, before_data=lambda: None)
