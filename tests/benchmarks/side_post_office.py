"""django-post-office when it is measured. Run by `contestants`, with Django set up (`peer.post_office`)."""

import logging
import tempfile
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.management import call_command
from post_office.models import PRIORITY, STATUS, Attachment, Email, EmailTemplate, Log

Mail = tuple[str, dict[str, str], dict[str, str]]


def prepare() -> None:
    logging.getLogger("post_office").setLevel(logging.ERROR)  # two lines a batch and process
    call_command("migrate", verbosity=0)


def make_template(subject: str, text: str, html: str, ics: str) -> None:
    EmailTemplate.objects.create(name="reminder", subject=subject, content=text, html_content=html)
    stored = Attachment(name="stay.ics", mimetype="text/calendar")
    stored.file.save("stay.ics", ContentFile(ics.encode()))


def queue(mails: list[Mail]) -> None:
    """These wait to be sent, rendered when they are: each (recipient, headers, what the template needs)."""
    Log.objects.all().delete()
    Email.objects.all().delete()
    template, stay = EmailTemplate.objects.get(), Attachment.objects.get()
    emails = Email.objects.bulk_create(
        Email(from_email="Hotel Bench <no-reply@localhost>", to=[recipient], template=template, context=context,
              headers=headers, status=STATUS.queued, priority=PRIORITY.medium)
        for recipient, headers, context in mails
    )  # fmt: skip
    through = Attachment.emails.through
    through.objects.bulk_create(through(email_id=email.pk, attachment_id=stay.pk) for email in emails)


def send() -> None:
    with tempfile.TemporaryDirectory() as folder:
        call_command("send_queued_mail", processes=2, lockfile=str(Path(folder) / "lock"))


def left() -> float:
    return float(Email.objects.exclude(status=STATUS.sent).count())
