"""The platform admin of Celery beat's periodic tasks.

Migrations create the tasks. Staff change or disable them here.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from unfold.decorators import display

from hotelagent.admin.base import PlatformModelAdmin
from hotelagent.admin.sites import platform_site


@admin.register(PeriodicTask, site=platform_site)
class PeriodicTaskAdmin(PlatformModelAdmin):
    icon = "schedule"
    list_display = ("name", "task", "interval_or_crontab", "enabled", "last_run_at")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    fields = (
        "name",
        "task",
        "enabled",
        "interval",
        "crontab",
        "description",
        "last_run_at",
        "total_run_count",
    )
    readonly_fields = ("name", "task", "last_run_at", "total_run_count")

    @display(description=_("schedule"))
    def interval_or_crontab(self, task: PeriodicTask) -> str:
        return str(task.interval or task.crontab or "")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("interval", "crontab")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(IntervalSchedule, site=platform_site)
class IntervalScheduleAdmin(PlatformModelAdmin):
    in_menu = False


@admin.register(CrontabSchedule, site=platform_site)
class CrontabScheduleAdmin(PlatformModelAdmin):
    in_menu = False
