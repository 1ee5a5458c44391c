"""A mail as its reader would see it, inside a page of the admin."""

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

# How it looks in the dark; the page's policy would forbid it.
_SOURCE: str = get_template("reminders/mail.html").template.source  # type: ignore[attr-defined]
for _style in re.findall(r"<style>(.*?)</style>", _SOURCE, re.DOTALL):
    inline_styles.allow(_style)


def preview_of(template: Template) -> SafeString | str:
    """As the guest of the newest reservation would get it; in a frame that runs no script."""
    # Addresses without a host: a page of the admin may load nothing from elsewhere, a domain of the hotel's own
    # included.
    branding = branding_context(current_hotel(), base_url="")
    try:
        rendered = rendering.render_preview(template, branding=branding, unsubscribe="#")
    except DomainError as error:
        return error.detail
    return format_html(
        '<p class="mb-2 font-semibold">{}</p><iframe sandbox srcdoc="{}" title="{}" '
        'class="w-full rounded border border-base-200 dark:border-base-700" '
        'style="height:36rem;max-width:40rem;background:#fff"></iframe>',
        rendered.subject,
        escape(rendered.html),  # all of it, to stand in an attribute: as a page it counts as safe
        _("preview"),
    )
