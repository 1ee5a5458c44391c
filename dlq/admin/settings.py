"""The admin page for the settings for failures: how long failures are kept, alerts, and pauses."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from dlq.events import NAMES
from dlq.groups.models import FailureGroup
from dlq.retention import pauses
from dlq.retention.models import FailureSettings
from dlq.retention.settings import change_settings
from hotelagent.admin.base import SettingsPageAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site, platform_site

#: Maximum number of names that the form for a pause suggests.
MAX_SUGGESTIONS = 200


FIELDSETS: list[tuple[Any, dict[str, Any]]] = [
    (_("Deletion"), {"fields": ["keep_payload_days", "keep_failure_days"]}),
    (
        _("Alerts"),
        {
            "fields": [
                "alerts_enabled",
                "alert_recipients",
                "alert_open",
                "alert_age_hours",
                "alert_per_hour",
                "alert_new",
                "alert_repeated",
            ]
        },
    ),
]


class FailureSettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = FailureSettings
        fields = [name for fieldset in FIELDSETS for name in fieldset[1]["fields"]]
        widgets = {"alert_recipients": UnfoldAdminTextInputWidget()}


@admin.register(FailureSettings, site=hotel_site)
@admin.register(FailureSettings, site=platform_site)
class FailureSettingsAdmin(SettingsPageAdmin):
    """The admin page for the settings for failures of the hotel or of the platform."""

    icon = "tune"
    menu_group = Group.PROBLEMS
    menu_order = 30
    tab_of = "admin:dlq_failuregroup_changelist"
    form = FailureSettingsForm
    fieldsets = FIELDSETS
    stylesheets = ("dlq/failures.css",)
    change_form_outer_after_template = "dlq/pauses.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.pause_view)
        return [path("pause/", view, name="dlq_failuresettings_pause"), *super().get_urls()]

    def pause_view(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume the retries of the kind of failure in the form field `name`.

        If the field is empty, pause or resume all retries.
        """
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            name = request.POST.get("name", "").strip()[: pauses.MAX_NAME_LENGTH]
            if request.POST.get("action") == "resume":
                pauses.resume(name=name)
                text = _(
                    "The retries are resumed. Retries that became due during the pause are made one after the other."
                )
            else:
                pauses.pause(name=name)
                text = _("The retries are paused. New failures are still captured.")
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:dlq_failuresettings_changelist"))

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        current = pauses.current_pauses()
        names = FailureGroup.objects.order_by("name").values_list("name", flat=True).distinct()
        return {
            "all_paused": current.all_kinds,
            "paused_kinds": [(name, NAMES.get(name, "")) for name in current.kinds],
            "known_names": [name for name in names[:MAX_SUGGESTIONS] if name not in current.kinds],
            "may_pause": self.has_change_permission(request),
            "pause_url": reverse("admin:dlq_failuresettings_pause"),
        }

    def save_model(self, request: HttpRequest, obj: FailureSettings, form: Any, change: bool) -> None:
        change_settings(**{name: form.cleaned_data[name] for name in form.changed_data})
