"""The platform admin of hotels and their domains."""

import datetime
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from hotelagent.admin import dashboard
from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.base import ChangesAuditedByServices, PlatformModelAdmin
from hotelagent.admin.dashboard import Card
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import platform_site
from hotelagent.core.time_zones import time_zone_choices
from tenants import services
from tenants.admin.invitations import InvitationMixin, manager_state
from tenants.admin.support import SupportMixin
from tenants.models import Domain, Hotel, HotelStatus, SchemaTemplate


class DomainInline(TabularInline):  # type: ignore[misc]
    model = Domain
    extra = 0
    fields = ("host",)
    verbose_name_plural = _("custom domains")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False, because a domain can only be added or removed."""
        return False


def _status_label(status: str) -> str:
    """Return the label of a status, or the status itself if this version of the code does not know it."""
    return str(dict(HotelStatus.choices).get(status, status))


def _age(time: datetime.datetime | None) -> str:
    """Return the time since `time` as a text such as "3 hours ago", or "never"."""
    return str(_("never")) if time is None else str(_("{time} ago")).format(time=timesince(time))


@dashboard.register_card(scope="hotels:read", order=0)
def hotels_by_status(_request: HttpRequest) -> Card:
    counts = dict(Hotel.objects.values_list("status").annotate(number=Count("id")))
    other = {status: number for status, number in counts.items() if status != HotelStatus.ACTIVE}
    return Card(
        title=_("Active hotels"),
        value=counts.get(HotelStatus.ACTIVE, 0),
        note=", ".join(f"{number} {_status_label(status)}" for status, number in sorted(other.items())),
        url=reverse("admin:tenants_hotel_changelist"),
        icon="hotel",
    )


class MigrationsFilter(admin.SimpleListFilter):
    """A filter for hotels that lack the migrations which new hotels have."""

    title = _("migrations")
    parameter_name = "migrations"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("current", _("up to date")), ("behind", _("behind"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Hotel]) -> QuerySet[Hotel]:
        if self.value() not in {"current", "behind"}:
            return queryset
        version = SchemaTemplate.objects.values_list("schema_version", flat=True).first() or ""
        provisioned = queryset.exclude(status=HotelStatus.PROVISIONING)
        current = provisioned.filter(schema_version=version)
        return current if self.value() == "current" else provisioned.exclude(schema_version=version)


class HotelForm(forms.ModelForm):  # type: ignore[type-arg]
    manager_email = forms.EmailField(
        label=_("E-mail address of the first manager"),
        required=False,
        widget=UnfoldAdminEmailInputWidget,
        help_text=_(
            "The manager receives an invitation to create an account. If the field is empty, nobody is invited now."
        ),
    )


@admin.register(Hotel, site=platform_site)
class HotelAdmin(InvitationMixin, SupportMixin, ChangesAuditedByServices, PlatformModelAdmin):
    form = HotelForm
    icon = "hotel"
    menu_group = Group.HOTELS
    menu_order = 10
    list_display = ("name", "host", "state", "language", "time_zone", "last_backup", "created_at")
    list_filter = ("status", MigrationsFilter, "language")
    list_select_related = ("backup_state",)
    search_fields = ("name", "slug", "domains__host")
    ordering = ("slug",)
    inlines = (DomainInline,)
    actions = ("suspend", "resume")
    fields = ("name", "slug", "time_zone", "language", "email")
    shown = (
        "status",
        "support",
        "manager",
        "contact_count",
        "usage_link",
        "schema",
        "last_backup",
        "restore_drill",
        "created_at",
    )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "time_zone":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        # Without the empty choice, browsers would preselect the first zone if the stored zone is not among the choices.
        return forms.ChoiceField(
            label=capfirst(db_field.verbose_name),
            choices=[("", "---------"), *time_zone_choices()],
            initial=db_field.default,
            widget=UnfoldAdminSelectWidget,
        )

    @display(description=_("platform support"))
    def support(self, hotel: Hotel) -> SafeString | str:
        """Return a link to the page on which platform staff request access to the hotel."""
        if hotel.status != HotelStatus.ACTIVE:
            return str(_("Platform staff can open the admin of an active hotel only."))
        url = reverse("admin:tenants_hotel_support", args=[hotel.pk])
        return format_html('<a class="underline" href="{}">{}</a>', url, _("Open this hotel's admin"))

    @display(description=_("first manager"))
    def manager(self, hotel: Hotel) -> SafeString | str:
        """Return the state of the first manager's invitation, with a link to the page that sends the invitation."""
        state, may_invite = manager_state(hotel)
        if not may_invite:
            return state
        url = reverse("admin:tenants_hotel_invite", args=[hotel.pk])
        return format_html('{} <a class="underline" href="{}">{}</a>', state, url, _("Send an invitation"))

    @display(description=_("guest contacts"))
    def contact_count(self, hotel: Hotel) -> SafeString:
        """Return the number of guest contacts as a link to the list of these contacts."""
        return format_html(
            '<a class="underline" href="{}?hotel__id__exact={}">{}</a>',
            reverse("admin:tenants_contactidentifier_changelist"),
            hotel.pk,
            hotel.contacts.count(),
        )

    @display(description=_("last backup"), ordering="backup_state__succeeded_at")
    def last_backup(self, hotel: Hotel) -> str:
        """Return the age of the hotel's last good backup, and the error if a later backup failed."""
        state = getattr(hotel, "backup_state", None)
        age = _age(state.succeeded_at if state else None)
        return f"{age}. {state.error}" if state and state.error else age

    @display(description=_("last restore drill"))
    def restore_drill(self, hotel: Hotel) -> str:
        """Return the age of the last drill that restored a backup of the hotel, and the error of a later drill."""
        state = getattr(hotel, "backup_state", None)
        age = _age(state.drilled_at if state else None)
        return f"{age}. {state.drill_error}" if state and state.drill_error else age

    @display(description=_("usage"))
    def usage_link(self, hotel: Hotel) -> SafeString:
        """Return a link to the page with the daily usage of the hotel."""
        url = reverse("hotel_usage", args=[hotel.pk])
        return format_html('<a class="underline" href="{}">{}</a>', url, _("View the growth of this hotel"))

    @display(description=_("host"))
    def host(self, hotel: Hotel) -> SafeString | str:
        host = f"{hotel.slug}.{settings.PLATFORM_HOST}"
        if hotel.status != HotelStatus.ACTIVE:
            return host
        port = f":{settings.PORT}" if settings.DEBUG else ""
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="//{}{}/admin/">{}</a>', host, port, host
        )

    @display(
        description=_("status"),
        ordering="status",
        label={
            HotelStatus.ACTIVE: "success",
            HotelStatus.SUSPENDED: "warning",
            HotelStatus.PROVISIONING: "info",
            HotelStatus.ARCHIVED: "default",
        },
    )
    def state(self, hotel: Hotel) -> tuple[str, str]:
        return hotel.status, _status_label(hotel.status)

    def get_fields(self, request: HttpRequest, obj: Hotel | None = None) -> Any:
        return (*self.fields, "manager_email") if obj is None else (*self.fields, *self.shown)

    def get_readonly_fields(self, request: HttpRequest, obj: Hotel | None = None) -> Any:
        return () if obj is None else self.shown

    def get_inlines(self, request: HttpRequest, obj: Hotel | None) -> Any:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Hotel, form: Any, change: bool) -> None:
        properties: dict[str, Any] = {
            "slug": obj.slug,
            "name": obj.name,
            "time_zone": obj.time_zone,
            "language": obj.language,
            "email": obj.email,
        }
        if change:
            services.update_hotel(hotel_id=obj.pk, **properties)
            return
        hotel = services.register_hotel(**properties, manager_email=form.cleaned_data["manager_email"])
        obj.pk, obj.schema, obj.status = hotel.pk, hotel.schema, hotel.status
        self.message_user(
            request, _("The hotel is being provisioned. Its status changes to active when it is ready.")
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        for domain in formset.deleted_objects:
            services.remove_domain(hotel_id=form.instance.pk, host=domain.host)
        for domain in formset.new_objects:
            services.add_domain(hotel_id=form.instance.pk, host=domain.host)

    @admin.action(description=_("Suspend the selected hotels"), permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Hotel]) -> HttpResponse | None:
        if page := require_confirmation(request, self.admin_site):
            return page
        self._change_status(request, queryset, services.suspend_hotel, _("{hotel} was suspended."))
        return None

    @admin.action(description=_("Lift the suspension of the selected hotels"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Hotel]) -> None:
        self._change_status(
            request, queryset, services.resume_hotel, _("The suspension of {hotel} was lifted.")
        )

    def _change_status(
        self, request: HttpRequest, hotels: QuerySet[Hotel], service: Callable[..., Hotel], message: Any
    ) -> None:
        for hotel in self.apply_to_each(request, hotels, lambda hotel: service(hotel_id=hotel.pk)):
            self.message_user(request, str(message).format(hotel=hotel), messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: Hotel | None = None) -> bool:
        """Return False. Hotels are deleted with `manage.py erase_hotel`, which asks for confirmation."""
        return False
