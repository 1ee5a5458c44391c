"""Previews of e-mails on admin pages."""

import re

from django.template.loader import get_template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from hotelagent.admin import inline_styles
from reminders.mail import rendering
from reminders.mail.branding import branding_context
from reminders.models import Template
from tenants.context import current_hotel
from tenants.errors import DomainError

# Previews need the inline styles of the e-mail layout, so the content security policy must allow these styles.
_SOURCE: str = get_template("hotelagent/mail.html").template.source  # type: ignore[attr-defined]
for _style in re.findall(r"<style>(.*?)</style>", _SOURCE, re.DOTALL):
    inline_styles.allow(_style)


def render_preview_frame(template: Template) -> SafeString | str:
    """Return an HTML frame with the e-mail that the guest of the newest reservation would receive.

    If the template is not valid, return the error message.
    """
    # The preview uses relative URLs, because the content security policy blocks images from other hosts.
    branding = branding_context(current_hotel(), base_url="")
    try:
        rendered = rendering.render_preview(template, branding=branding, unsubscribe_url="#")
    except DomainError as error:
        return error.detail
    return format_html(
        '<p class="mb-2 font-semibold">{}</p><iframe sandbox srcdoc="{}" title="{}" '
        'class="w-full rounded border border-base-200 dark:border-base-700" '
        'style="height:36rem;max-width:40rem;background:#fff"></iframe>',
        rendered.subject,
        escape(rendered.html),  # `srcdoc` is an HTML attribute, so its value is escaped.
        _("preview"),
    )
