"""The measured functions of django-post-office. `contestants` runs them in a process with its settings."""

import logging
import tempfile
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.management import call_command
from post_office.models import PRIORITY, STATUS, Attachment, Email, EmailTemplate, Log

#: Recipient, headers, and the context of the template.
Queued = tuple[str, dict[str, str], dict[str, str]]


def prepare() -> None:
    """Migrate the database."""
    logging.getLogger("post_office").setLevel(logging.ERROR)  # otherwise two lines per batch and process
    call_command("migrate", verbosity=0)


def create_template(subject: str, text: str, html: str, calendar: str) -> None:
    """Create the template and the attachment that all messages use."""
    EmailTemplate.objects.create(name="reminder", subject=subject, content=text, html_content=html)
    attachment = Attachment(name="stay.ics", mimetype="text/calendar")
    attachment.file.save("stay.ics", ContentFile(calendar.encode()))


def queue(messages: list[Queued]) -> None:
    """Replace the queued messages by these. They are rendered when they are sent."""
    Log.objects.all().delete()
    Email.objects.all().delete()
    template, attachment = EmailTemplate.objects.get(), Attachment.objects.get()
    emails = Email.objects.bulk_create(
        Email(from_email="Hotel Bench <no-reply@localhost>", to=[recipient], template=template, context=context,
              headers=headers, status=STATUS.queued, priority=PRIORITY.medium)
        for recipient, headers, context in messages
    )  # fmt: skip
    through = Attachment.emails.through
    through.objects.bulk_create(through(email_id=email.pk, attachment_id=attachment.pk) for email in emails)


def send() -> None:
    """Send all queued messages with two processes, each with its default number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        call_command("send_queued_mail", processes=2, lockfile=str(Path(folder) / "lock"))


def count_unsent() -> float:
    """Return the number of messages that were not sent."""
    return float(Email.objects.exclude(status=STATUS.sent).count())
