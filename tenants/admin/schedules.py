"""The platform admin of Celery beat's periodic tasks.

Migrations create the periodic tasks. Staff can change or disable a task on these pages.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from unfold.decorators import display

from hotelagent.admin.base import PlatformModelAdmin
from hotelagent.admin.navigation import Group
from hotelagent.admin.sites import platform_site
from hotelagent.core.time_zones import known_time_zones


def check_crontab(crontab: CrontabSchedule) -> None:
    """Raise ValidationError if Celery rejects the crontab, because Celery beat would never run tasks with this
    crontab.
    """
    try:
        crontab.schedule  # noqa: B018 - the property builds Celery's schedule
    # Celery raises ValueError for a day that never occurs, such as 31 February, and for numbers out of range.
    except ValueError as error:
        raise ValidationError(
            gettext(
                "This schedule would never run. Choose a day that occurs in one of the months, and use 0 (Sunday) to 6 "
                "(Saturday) for weekdays."
            )
        ) from error


def readable_crontabs() -> QuerySet[CrontabSchedule]:
    """Return the crontabs whose time zone is known. Loading any other crontab raises ValidationError."""
    crontabs: QuerySet[CrontabSchedule] = CrontabSchedule.objects.alias(zone=Cast("timezone", TextField()))
    return crontabs.filter(zone__in=known_time_zones())


class PeriodicTaskForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_crontab(self) -> CrontabSchedule | None:
        crontab: CrontabSchedule | None = self.cleaned_data["crontab"]
        if crontab is not None:
            check_crontab(crontab)
        return crontab


class CrontabScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:  # A field of the form is not valid, so the crontab as a whole cannot be checked.
            return
        try:
            check_crontab(self.instance)
        except ValidationError as error:
            self.add_error(None, error)


@admin.register(PeriodicTask, site=platform_site)
class PeriodicTaskAdmin(PlatformModelAdmin):
    form = PeriodicTaskForm
    icon = "schedule"
    menu_group = Group.OPERATION
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
        try:
            return str(task.interval or task.crontab or "")
        except ValidationError:
            return gettext("The time zone of the crontab is not known. Choose another crontab.")

    def get_queryset(self, request: HttpRequest) -> Any:
        # The query does not load the crontabs, because a crontab with an unknown time zone raises an error.
        return super().get_queryset(request).select_related("interval")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the periodic task. If the time zone of the task's crontab is unknown, set the crontab to None.

        Without this change, the form could not be displayed. Staff can choose another crontab in the form.
        """
        task = super().get_object(request, object_id, from_field)
        if task is not None and not readable_crontabs().filter(pk=task.crontab_id).exists():
            task.crontab = None
        return task

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "crontab":
            kwargs["queryset"] = readable_crontabs()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(IntervalSchedule, site=platform_site)
class IntervalScheduleAdmin(PlatformModelAdmin):
    in_menu = False


@admin.register(CrontabSchedule, site=platform_site)
class CrontabScheduleAdmin(PlatformModelAdmin):
    form = CrontabScheduleForm
    in_menu = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request) & readable_crontabs()
