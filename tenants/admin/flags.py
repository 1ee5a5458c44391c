"""The platform admin of feature flags (django-waffle)."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from waffle.models import Flag, Switch

from hotelagent.admin.base import DeletionsAuditedByServices, PlatformModelAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import platform_site


class _WaffleAdmin(DeletionsAuditedByServices, PlatformModelAdmin):
    search_fields = ("name", "note")
    readonly_fields = ("created", "modified")

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        # Delete the flags one by one, because a bulk delete would not clear waffle's cache.
        for row in queryset:
            row.delete()


@admin.register(Flag, site=platform_site)
class FlagAdmin(_WaffleAdmin):
    icon = "flag"
    menu_group = Group.OPERATION
    list_display = ("name", "everyone", "percent", "note", "modified")
    fields = (
        "name",
        "note",
        "everyone",
        "percent",
        "staff",
        "authenticated",
        "languages",
        "created",
        "modified",
    )


@admin.register(Switch, site=platform_site)
class SwitchAdmin(_WaffleAdmin):
    icon = "toggle_on"
    menu_group = Group.OPERATION
    list_display = ("name", "active", "note", "modified")
    fields = ("name", "note", "active", "created", "modified")
