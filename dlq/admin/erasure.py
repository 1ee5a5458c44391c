"""The page on which managers erase one guest's data from the failures of their hotel."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from dlq.admin.explanations import work_label
from dlq.erasure import services
from dlq.erasure.services import ErasureResult, Preview
from dlq.errors import InvalidIdentifier
from dlq.kinds.subjects import find_subjects
from tenants.context import current_tenant

#: The approximate time limit in seconds for a preview or an erasure in a request. A task finishes longer erasures.
MAX_SECONDS = 5.0


class ErasureForm(forms.Form):
    identifier = forms.CharField(
        label=_("E-mail address, phone number or reservation number"),
        max_length=300,
        help_text=_("Enter a phone number as it is stored: with the country code, or without it."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class ErasureMixin:
    """Mixin that adds the erasure page to the admin of failures. List the mixin before the model admin class.

    The identifier of the guest is sent in the body of POST requests only, so that no log of URLs contains it.
    """

    def get_urls(self) -> list[Any]:
        admin: Any = self
        view = admin.admin_site.admin_view(self.erase_view)
        urls: list[Any] = super().get_urls()  # type: ignore[misc]
        return [path("erase/", view, name="dlq_failure_erase"), *urls]

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may erase guests on the admin site of the current tenant.

        On the platform's site no user may erase guests: only the command `dlq_forget` erases guests from failures of
        the platform.
        """
        admin: Any = self
        return admin.may_correct(request) and not current_tenant().is_platform

    def erase_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, preview an erasure, or erase the guest if the form has the field `confirmed`."""
        if not self.has_erase_permission(request):
            raise PermissionDenied
        form, preview = ErasureForm(request.POST or None), None
        if form.is_valid():
            identifier = form.cleaned_data["identifier"]
            try:
                if "confirmed" in request.POST:
                    return self._erase(request, identifier)
                preview = services.preview(identifier, seconds=MAX_SECONDS)
            except InvalidIdentifier as error:
                form.add_error("identifier", str(error.detail))
        return TemplateResponse(request, "dlq/erase.html", self._context(request, form, preview))

    def _erase(self, request: HttpRequest, identifier: str) -> HttpResponse:
        admin: Any = self
        result = services.forget_within(identifier, seconds=MAX_SECONDS)
        admin.message_user(request, _describe(result), messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def _context(self, request: HttpRequest, form: ErasureForm, preview: Preview | None) -> dict[str, Any]:
        admin: Any = self
        sample = preview.sample if preview else []
        subjects = find_subjects(sample)
        return {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "title": _("Erase a guest's data"),
            "form": form,
            "preview": preview,
            "sample": [(failure, subjects.get(failure.id), work_label(failure.name)) for failure in sample],
            "list_url": reverse("admin:dlq_failure_changelist"),
        }


def _describe(result: ErasureResult) -> str:
    """Return the message for the user after an erasure."""
    if not result.is_complete:
        return str(
            _("The data are being erased. After the erasure, the audit trail shows the number of failures.")
        )
    if not result.failures and not result.groups and not result.events:
        return str(_("No failure contains this value. Nothing was erased."))
    erased = ngettext(
        "The data of the guest were erased from %d failure.",
        "The data of the guest were erased from %d failures.",
        result.failures,
    )
    discarded = ngettext(
        "%d open failure was discarded.", "%d open failures were discarded.", result.discarded
    )
    texts = [erased % result.failures, discarded % result.discarded if result.discarded else ""]
    return " ".join(filter(None, texts))
