"""E-mails to staff of a hotel or of the platform, in the layout of the project's other automatic e-mails."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.mail import EmailMultiAlternatives
from django.template.loader import get_template
from django.utils import translation

from hotelagent.core.domains import AUTOMATIC_MAIL_HEADERS, encode_address, sender
from hotelagent.core.text import single_line
from tenants.context import Tenant
from tenants.host_routing import display_name, public_url

_COLOUR, _TEXT_COLOUR = "#1f4e5f", "#ffffff"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that an e-mail shows as a button."""

    label: str
    url: str


def build_message(
    *, hotel: Tenant, address: str, subject: str, paragraphs: Iterable[str], link: Link, reason: str
) -> EmailMultiAlternatives:
    """Return an e-mail from the hotel or the platform to one address, in the active language.

    `reason` says at the end of the e-mail why the person receives it.
    """
    name = single_line(display_name(hotel))
    language = translation.get_language() or hotel.language
    paragraphs = list(paragraphs)
    subject = single_line(subject)
    body = get_template("tenants/mail_body.html").render(
        {"paragraphs": paragraphs, "link": link, "colour": _COLOUR, "text_colour": _TEXT_COLOUR}
    )
    html = get_template("hotelagent/mail.html").render(
        {
            "subject": subject,
            "body": body,
            "language": language,
            "direction": "ltr",
            "branding": {"hotel": {"name": name}, "colour": _COLOUR, "text_colour": _TEXT_COLOUR},
            "footer_language": language,
            "reason": reason,
            "footer_link": name,
            "footer_url": public_url(hotel),
        }
    )
    text = "\n\n".join([*paragraphs, f"{link.label}: {link.url}", f"-- \n{reason}"])
    message = EmailMultiAlternatives(
        subject=subject,
        body=f"{text}\n",
        from_email=sender(name),
        to=[encode_address(address)],
        headers={"Content-Language": language, **AUTOMATIC_MAIL_HEADERS},
    )
    message.attach_alternative(html, "text/html")
    return message
