"""The admin pages for webhooks and webhook deliveries."""

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from hotelagent.admin.base import DeletionsAuditedByServices, HotelModelAdmin, ReadOnlyModelAdmin
from hotelagent.admin.lists import EmptyList, NextStep
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import hotel_site
from locks.webhooks import policy, services
from locks.webhooks.errors import InvalidWebhookURL
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import Webhook, WebhookDelivery, WebhookDeliveryStatus
from locks.webhooks.transport import host_of, validate_url

STATUS_COLORS = {
    WebhookDeliveryStatus.PENDING: "info",
    WebhookDeliveryStatus.PAUSED: "warning",
    WebhookDeliveryStatus.SENT: "success",
    WebhookDeliveryStatus.FAILED: "danger",
}

SHOW_WEBHOOKS = NextStep(
    _("Show webhooks"), "admin:locks_webhook_changelist", scope="webhooks:read", icon="webhook"
)

#: The labels contain the event type, because developers of the receiving system know events by their types.
EVENT_CHOICES = [(event.value, format_lazy("{} ({})", event.label, event.value)) for event in WebhookEvent]

#: Choices for how many hours the previous secret stays valid after a rotation. The first choice is the default.
OVERLAP_CHOICES = (
    (policy.DEFAULT_OVERLAP_HOURS, _("for 24 hours")),
    (policy.MAX_OVERLAP_HOURS, _("for 7 days")),
    (0, _("for 0 hours (choose this option if the previous secret has leaked)")),
)


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.CharField(
        label=_("URL"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("An https URL on the public internet."),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=EVENT_CHOICES, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = Webhook
        fields = ("url", "events", "active")
        help_texts = {
            "active": _("While the webhook is off, deliveries are kept and sent when it is turned on again."),
        }

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            validate_url(url)
        except InvalidWebhookURL as error:
            raise forms.ValidationError(error.detail) from None
        return url


@admin.register(Webhook, site=hotel_site)
class WebhookAdmin(DeletionsAuditedByServices, HotelModelAdmin):
    icon = "webhook"
    menu_group = Group.SETUP
    menu_order = 30
    item_title = _("Webhooks and PMS")
    form = WebhookForm
    fields = ["url", "events", "active"]
    list_display = ["url", "event_list", "state", "failing_since", "created_at"]
    ordering = ["-id"]
    actions = ["send_test", "rotate_secret"]
    empty_list = EmptyList(
        _(
            "There are no webhooks yet. Add the URL of a system that must know immediately when a room is held, booked "
            "or released, such as a booking engine or a channel manager."
        )
    )
    change_form_outer_before_template = "locks/webhook_actions.html"

    @display(description=_("Events"))
    def event_list(self, webhook: Webhook) -> str:
        if set(WebhookEvent.values) <= set(webhook.events):
            return pgettext("events", "All")
        return ", ".join(webhook.events)

    @display(description=_("state"), label={"on": "success", "off": "danger", "failing": "warning"})
    def state(self, webhook: Webhook) -> tuple[str, str]:
        if not webhook.active:
            return "off", gettext("Off")
        return ("failing", gettext("Failing")) if webhook.failing_since else ("on", gettext("On"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        single_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        view: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **single_button})
        return view

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in self.fields}
        if change:
            changes = {name: values[name] for name in form.changed_data}
            services.update_webhook(Webhook.objects.get(pk=obj.pk), changes=changes)
            return
        webhook, secret = services.create_webhook(
            url=values["url"], event_types=values["events"], active=values["active"]
        )
        obj.pk = webhook.pk
        request.webhook_secret = secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: Any = None) -> HttpResponse:
        return self._secret_page(
            request,
            obj,
            secret=request.webhook_secret,  # type: ignore[attr-defined]
            title=gettext("Webhook created"),
        )

    def _secret_page(
        self, request: HttpRequest, webhook: Webhook, *, secret: str, title: str
    ) -> HttpResponse:
        """Return the page that shows a new signing secret.

        No other page shows the secret, and this page is not cached.
        """
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "host": host_of(webhook),
            "previous_secret_expires_at": webhook.previous_secret_expires_at,
            "secret": secret,
        }
        response = TemplateResponse(request, "locks/webhook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        webhook: Webhook | None = context.get("original")
        extra = {
            "show_actions": webhook is not None and self.has_change_permission(request, webhook),
            "now": timezone.now(),
            "overlap_choices": OVERLAP_CHOICES,
        }
        page: HttpResponse = super().render_change_form(request, {**context, **extra}, *args, **kwargs)
        return page

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Allow staff to delete a webhook together with its deliveries. Single deliveries can't be deleted."""
        to_delete, counts, permissions_needed, protected = super().get_deleted_objects(objs, request)
        deliveries = str(WebhookDelivery._meta.verbose_name)
        return to_delete, counts, permissions_needed - {deliveries}, protected

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        services.delete_webhook(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            services.delete_webhook(webhook)

    @admin.action(description=_("Send test event"), permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            result = services.send_test_delivery(webhook.id)
            if result.status_code is None:
                text = gettext("The test event was not delivered. {error}").format(error=result.error)
            else:
                text = gettext("{host} responded with HTTP status {status} in {milliseconds} ms.").format(
                    host=host_of(webhook), status=result.status_code, milliseconds=result.duration_ms
                )
            self.message_user(request, text, messages.SUCCESS if result.delivered else messages.ERROR)

    @admin.action(description=_("Rotate signing secret"), permissions=["change"])
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> HttpResponse | None:
        if queryset.count() != 1:
            self.message_user(
                request,
                gettext("Select a single webhook. Its new secret is shown only once."),
                messages.ERROR,
            )
            return None
        choices = {str(hours): hours for hours, _label in OVERLAP_CHOICES}
        hours = choices.get(request.POST.get("overlap_hours", ""), policy.DEFAULT_OVERLAP_HOURS)
        webhook, secret = services.rotate_secret(queryset.get().id, overlap=datetime.timedelta(hours=hours))
        return self._secret_page(request, webhook, secret=secret, title=gettext("New signing secret"))


@admin.register(WebhookDelivery, site=hotel_site)
class WebhookDeliveryAdmin(ReadOnlyModelAdmin):
    """The admin list of recent deliveries. Staff retry failed deliveries from the dead-letter queue."""

    icon = "outgoing_mail"
    menu_group = Group.SETUP
    menu_order = 40
    tab_of = "admin:locks_webhook_changelist"
    list_display = ["event", "webhook", "state", "attempts", "error_text", "created_at", "sent_at"]
    list_filter = [("status", ChoicesDropdownFilter), "event"]
    list_filter_submit = True
    list_select_related = ["webhook"]
    ordering = ["-id"]
    readonly_fields = [
        "event", "webhook", "status", "attempts", "error_text", "created_at", "sent_at", "data", "id",
    ]  # fmt: skip
    fields = readonly_fields
    empty_list = EmptyList(
        _("No events have been delivered yet. Add a webhook, and send a test event to the webhook."),
        (SHOW_WEBHOOKS,),
    )

    @display(description=_("state"), label=STATUS_COLORS, ordering="status")
    def state(self, delivery: WebhookDelivery) -> tuple[str, str]:
        status = WebhookDeliveryStatus(delivery.status)
        return status, str(status.label)

    @display(description=_("error"), ordering="error", empty_value="-")
    def error_text(self, delivery: WebhookDelivery) -> str:
        return delivery.error_message
