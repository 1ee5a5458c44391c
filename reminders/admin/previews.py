"""Previews of e-mails on admin pages, and the live preview beside the text of a template."""

import re

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.loader import get_template, render_to_string
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hotelagent.admin import inline_styles
from reminders.errors import InvalidTemplate
from reminders.mail import rendering
from reminders.mail.branding import branding_context
from reminders.mail.template_validation import find_errors
from reminders.models import Template
from tenants.context import current_hotel
from tenants.errors import DomainError
from tenants.languages import language_choices
from tenants.unaudited import unaudited

# Previews need the inline styles of the e-mail layout, so the content security policy must allow these styles.
_SOURCE: str = get_template("hotelagent/mail.html").template.source  # type: ignore[attr-defined]
for _style in re.findall(r"<style>(.*?)</style>", _SOURCE, re.DOTALL):
    inline_styles.allow(_style)


#: The labels of the buttons that insert a variable.
_VARIABLES = {
    "guest_name": gettext_lazy("Guest name"),
    "hotel_name": gettext_lazy("Hotel name"),
    "arrival": gettext_lazy("Arrival"),
    "departure": gettext_lazy("Departure"),
    "nights": gettext_lazy("Nights"),
    "adults": gettext_lazy("Adults"),
    "children": gettext_lazy("Children"),
    "room_type": gettext_lazy("Room type"),
    "number": gettext_lazy("Booking number"),
}


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


def render_template_editor(template: Template) -> SafeString:
    """Return the live preview of a template: variables to click, the rendered e-mail, and its width.

    The guest of the preview is an example. `template_editor.js` requests the preview again after each change.
    """
    rendered, problem = None, ""
    if template.subject or template.html:
        try:
            rendered = _render_example(template)
        except DomainError as error:
            problem = error.detail
    context = {
        "preview_url": reverse("admin:reminders_template_preview"),
        "variables": _VARIABLES.items(),
        "rendered": rendered,
        "problem": problem,
    }
    return mark_safe(render_to_string("reminders/template_editor.html", context))  # noqa: S308 - a rendered template


@unaudited("The preview shows an example guest.")
def preview_view(request: HttpRequest) -> HttpResponse:
    """Return the rendered parts of the posted template as JSON, or the errors of its parts. Nothing is saved."""
    if not request.user.has_perm("reminders.change_template"):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    parts = {name: request.POST.get(name, "") for name in ("subject", "text", "html")}
    language = request.POST.get("language", "")
    if language not in dict(language_choices()):
        language = current_hotel().language
    errors = find_errors(**parts)
    if not errors:
        try:
            rendered = _render_example(Template(language=language, **parts))
        except InvalidTemplate as error:
            errors = [error]
        else:
            return JsonResponse(
                {"errors": [], "subject": rendered.subject, "text": rendered.text, "html": rendered.html}
            )
    described = [
        {"part": error.extra.get("part"), "line": error.extra.get("line") or 1, "text": describe_error(error)}
        for error in errors
    ]
    return JsonResponse(
        {
            "errors": described,
            "problem": _("The template has an error. The preview shows the last valid text."),
        }
    )


def describe_error(error: DomainError) -> str:
    """Return the message of the error, with the number of the line if it is known."""
    line = error.extra.get("line")
    if not line or error.extra.get("part") == "subject":
        return error.detail
    return _("Line %(line)d: %(error)s") % {"line": line, "error": error.detail}


def _render_example(template: Template) -> rendering.RenderedMessage:
    branding = branding_context(current_hotel(), base_url="")
    reservation = rendering.example_reservation()
    return rendering.render(template, reservation=reservation, branding=branding, unsubscribe_url="#")
