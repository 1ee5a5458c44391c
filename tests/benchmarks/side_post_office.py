"""The functions that use django-post-office in the benchmark of sending e-mails.

The module `contestants` starts a process with the settings of `peer.post_office`, and calls the functions there.
"""

import logging
import tempfile
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.management import call_command
from post_office.models import PRIORITY, STATUS, Attachment, Email, EmailTemplate, Log

#: Recipient, headers, and the context of the template.
Queued = tuple[str, dict[str, str], dict[str, str]]


def prepare() -> None:
    """Create the tables of django-post-office in the benchmark database."""
    logging.getLogger("post_office").setLevel(logging.ERROR)  # otherwise two lines for each batch
    call_command("migrate", verbosity=0)


def create_template(subject: str, text: str, html: str, calendar: str) -> None:
    """Create the e-mail template and the attachment that all messages of the benchmark use."""
    EmailTemplate.objects.create(name="reminder", subject=subject, content=text, html_content=html)
    attachment = Attachment(name="stay.ics", mimetype="text/calendar")
    attachment.file.save("stay.ics", ContentFile(calendar.encode()))


def queue(messages: list[Queued]) -> None:
    """Delete all e-mails from the database, and queue the given messages.

    django-post-office renders the template of a queued message when it sends the message.
    """
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
    """Send all queued e-mails with two processes, each with the default number of threads of django-post-office."""
    with tempfile.TemporaryDirectory() as folder:
        call_command("send_queued_mail", processes=2, lockfile=str(Path(folder) / "lock"))


def count_unsent() -> float:
    """Return the number of e-mails in the database that have not been sent."""
    return float(Email.objects.exclude(status=STATUS.sent).count())
