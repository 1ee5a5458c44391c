"""Which other systems are told of holds, and how it goes."""

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from hotelagent.admin.base import DeletionsAuditedByServices, HotelModelAdmin, ReadOnlyModelAdmin
from hotelagent.admin.sites import hotel_site
from locks.webhooks import policy
from locks.webhooks.models import Webhook, WebhookDelivery, WebhookDeliveryStatus
from locks.webhooks.sending import check_url
from locks.webhooks.services import (
    create_webhook,
    delete_webhook,
    host_of,
    rotate_secret,
    send_test_delivery,
    update_webhook,
)
from locks.webhooks.topics import TOPICS
from tenants.errors import DomainError

COLOURS = {
    WebhookDeliveryStatus.PENDING: "info",
    WebhookDeliveryStatus.PAUSED: "warning",
    WebhookDeliveryStatus.SENT: "success",
    WebhookDeliveryStatus.FAILED: "danger",
}


#: What the page offers for how long the old secret signs too (hours), the usual one first.
OVERLAPS = (
    (policy.SECRET_OVERLAP_HOURS, _("for a day")),
    (policy.SECRET_OVERLAP_HOURS_MOST, _("for a week")),
    (0, _("no longer: it has leaked")),
)


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("An https address on the public internet."),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=list(TOPICS.items()), widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = Webhook
        fields = ("url", "events", "active")
        help_texts = {
            "active": _("Switched off, what it was still to be told waits until it is switched on again."),
        }

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            check_url(url)
        except DomainError as refused:
            raise forms.ValidationError(refused.detail) from None
        return url


@admin.register(Webhook, site=hotel_site)
class WebhookAdmin(DeletionsAuditedByServices, HotelModelAdmin):
    icon = "webhook"
    menu_order = 40
    form = WebhookForm
    fields = ["url", "events", "active"]
    list_display = ["url", "event_list", "state", "failing_since", "created_at"]
    ordering = ["-id"]
    actions = ["send_test", "rotate_secret"]
    change_form_outer_before_template = "locks/webhook_acts.html"

    @display(description=_("Events"))
    def event_list(self, webhook: Webhook) -> str:
        return (
            pgettext("events", "all") if TOPICS.keys() <= set(webhook.events) else ", ".join(webhook.events)
        )

    @display(description=_("state"), label={"on": "success", "off": "danger", "failing": "warning"})
    def state(self, webhook: Webhook) -> tuple[str, str]:
        if not webhook.active:
            return "off", _now("off")
        return ("failing", _now("failing")) if webhook.failing_since else ("on", _now("on"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        view: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **one_button})
        return view

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        """Through the services, whichever door it came by."""
        values = {name: form.cleaned_data[name] for name in self.fields}
        if change:
            changes = {name: values[name] for name in form.changed_data}
            update_webhook(Webhook.objects.get(pk=obj.pk), changes=changes)
            return
        made, secret = create_webhook(url=values["url"], topics=values["events"], active=values["active"])
        obj.pk = made.pk
        request.webhook_secret = secret  # type: ignore[attr-defined]  # for the answer to this request only

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: Any = None) -> HttpResponse:
        return self._show_secret(
            request,
            obj,
            secret=request.webhook_secret,  # type: ignore[attr-defined]
            title=_now("The new webhook"),
        )

    def _show_secret(
        self, request: HttpRequest, webhook: Webhook, *, secret: str, title: str
    ) -> HttpResponse:
        """The one page that shows the secret. It is not redirected to and not cached."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "host": host_of(webhook),
            "old_until": webhook.previous_secret_expires_at,
            "secret": secret,
        }
        response = TemplateResponse(request, "locks/webhook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        webhook: Webhook | None = context.get("original")
        shown = {
            "may_act": webhook is not None and self.has_change_permission(request, webhook),
            "now": timezone.now(),
            "overlaps": OVERLAPS,
        }
        page: HttpResponse = super().render_change_form(request, {**context, **shown}, *args, **kwargs)
        return page

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Its notices go with it, though nobody may delete one by itself."""
        shown, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return shown, counts, forbidden - {str(WebhookDelivery._meta.verbose_name)}, protected

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        delete_webhook(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            delete_webhook(webhook)

    @admin.action(description=_("Send a test"), permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            tested = send_test_delivery(webhook.id)
            if tested.status is None:
                self.message_user(
                    request, _now("The test failed: {why}").format(why=tested.error), messages.ERROR
                )
                continue
            text = _now("{host} answered {status} in {milliseconds} ms.").format(
                host=host_of(webhook), status=tested.status, milliseconds=tested.milliseconds
            )
            self.message_user(request, text, messages.SUCCESS if tested.delivered else messages.ERROR)

    @admin.action(description=_("Make a new secret"), permissions=["change"])
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> HttpResponse | None:
        if queryset.count() != 1:
            self.message_user(request, _now("Choose one webhook: its secret is shown once."), messages.ERROR)
            return None
        offered = {str(hours): hours for hours, _words in OVERLAPS}
        hours = offered.get(request.POST.get("overlap_hours", ""), policy.SECRET_OVERLAP_HOURS)
        webhook, secret = rotate_secret(queryset.get().id, overlap=datetime.timedelta(hours=hours))
        return self._show_secret(request, webhook, secret=secret, title=_now("The new secret"))


@admin.register(WebhookDelivery, site=hotel_site)
class NoticeAdmin(ReadOnlyModelAdmin):
    """What webhooks were told, for some days. What failed is sent again from the failures."""

    icon = "outgoing_mail"
    menu_order = 50
    list_display = ["event", "webhook", "state", "attempts", "why", "created_at", "sent_at"]
    list_filter = [("status", ChoicesDropdownFilter), "event"]
    list_filter_submit = True
    list_select_related = ["webhook"]
    ordering = ["-id"]
    readonly_fields = [
        "event", "webhook", "status", "attempts", "why", "created_at", "sent_at", "data", "id",
    ]  # fmt: skip
    fields = readonly_fields

    @display(description=_("state"), label=COLOURS, ordering="status")
    def state(self, notice: WebhookDelivery) -> tuple[str, str]:
        state = WebhookDeliveryStatus(notice.status)
        return state, str(state.label)

    @display(description=_("error"), ordering="error", empty_value="-")
    def why(self, notice: WebhookDelivery) -> str:
        return notice.why
