"""The e-mail with a checkpoint, in the auditor's language."""

from datetime import date

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from audit.publishing.models import Auditor
from audit.publishing.targets import checkpoint_file_name
from audit.sealing import logs
from audit.sealing.models import Log, StoredCheckpoint
from audit.transparency.notes import PublicKey
from hotelagent.core.domains import AUTOMATIC_MAIL_HEADERS, encode_address, sender
from hotelagent.core.text import single_line


def build_message(log: Log, last: StoredCheckpoint, auditor: Auditor, day: date) -> EmailMessage:
    """Return the e-mail of this day with the checkpoint as text and as an attachment.

    The Message-ID is always equal for the same log and day.
    """
    name = single_line(auditor.hotel.name) if auditor.hotel else settings.PLATFORM_HOST
    file = checkpoint_file_name(log)
    with translation.override(auditor.language), timezone.override("UTC"):
        message = EmailMessage(
            subject=_("{name}: checkpoint of the audit trail, {date}").format(
                name=name, date=formats.date_format(day, "DATE_FORMAT")
            ),
            body=_text(log, last, name, file),
            from_email=sender(name),
            to=[encode_address(auditor.email)],
            headers={
                "Message-ID": f"<checkpoint-{log.pk.hex}-{day:%Y%m%d}@{settings.PLATFORM_HOST}>",
                "Content-Language": auditor.language,
                **AUTOMATIC_MAIL_HEADERS,
            },
        )
    # A mail server could change the line endings of a text attachment, and then the signature would not match.
    message.attach(file, last.note.encode(), "application/octet-stream")
    return message


def _text(log: Log, last: StoredCheckpoint, name: str, file: str) -> str:
    keys = [PublicKey.parse(key) for key in sorted(logs.keys_in_use().get(log.pk, ()))]
    paragraphs = [
        _("The audit trail of {name} had {size} sealed events on {time} (UTC).").format(
            name=name,
            size=formats.number_format(last.size, force_grouping=True),
            time=formats.date_format(timezone.localtime(last.at), "DATETIME_FORMAT"),
        ),
        _("This checkpoint is signed with the key {key}:").format(
            key=", ".join(f"{key.name}+{key.id.hex()}" for key in keys)
        ),
        last.note.rstrip("\n"),
        _(
            "To verify this checkpoint, save the attached file, ask the operator for the public key and an "
            "export of the audit trail, and run: python verify_trail.py EXPORT --key PUBLIC-KEY --previous "
            "{file}"
        ).format(file=file),
        _("Keep this e-mail. It proves later which events existed at this time."),
        "-- \n"
        + _(
            "You receive this e-mail because your address is stored as the address of the auditor of {name}."
        ).format(name=name),
    ]
    return "\n\n".join(paragraphs) + "\n"
