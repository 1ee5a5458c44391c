"""The base class of every admin page of ours."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from hotelagent.admin import navigation, signals
from tenants.context import current_tenant
from tenants.errors import DomainError

Row = TypeVar("Row", bound=Model)


#: What an action does one by one, it does for no more than these: some seconds, which every proxy waits for.
MOST_AT_ONCE = 500


class HotelModelAdmin(ModelAdmin):  # type: ignore[misc]
    """A model in a hotel's (or the platform's) admin.

    Permissions are Django's names, answered by `User.has_perm` from the role's scopes. What is done goes to the
    audit trail through `hotelagent.admin.signals`; Django's own log is not written, and the trail answers for
    an object's history page.
    """

    icon = navigation.DEFAULT_ICON
    in_menu = True
    menu_order = 100
    stylesheets: tuple[str, ...] = ()
    compressed_fields = True
    list_fullwidth = True
    warn_unsaved_form = True
    list_per_page = 50

    @property
    def media(self) -> Media:
        media: Media = super().media
        return media + Media(css={"all": self.stylesheets})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        [(_receiver, page)] = signals.history_asked.send(
            sender=self.model, request=request, model_admin=self, object_id=object_id
        )
        return cast("HttpResponse", page)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Under the name that the menu has: Django's title is an order ("Select reservation to change").

        What no link of ours leads to (a NUL in a filter, an id that is none) is led to the list, as Django does
        with what it finds wrong itself.
        """
        title = capfirst(str(self.opts.verbose_name_plural))
        try:
            return super().changelist_view(request, {"title": title, **(extra_context or {})})
        except (DataError, ValidationError):
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A service that refuses (its errors are `DomainError`) is told to the person, not turned into a 500."""
        context = {"show_history": request.user.has_perm("audit.view_event"), **(extra_context or {})}
        if object_id is not None:
            context.setdefault("title", capfirst(str(self.opts.verbose_name)))
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except DomainError as error:  # whatever was saved with it is rolled back by now
            self.message_user(request, str(error.detail), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def each(
        self,
        request: HttpRequest,
        rows: Iterable[Row],
        act: Callable[[Row], object],
        *,
        called: Callable[[Row], str] = str,
    ) -> list[Row]:
        """Those with which it was done. What a service refuses is told to the person and holds up no other.

        `called`: what the person knows a row by.
        """
        done = []
        for row in rows:
            try:
                act(row)
            except DomainError as error:
                self.message_user(request, f"{called(row)}: {error.detail}", messages.ERROR)
            else:
                done.append(row)
        return done

    def are_few(self, request: HttpRequest, chosen: QuerySet[Any]) -> bool:
        """Whether an action may do them one by one; else the person is told."""
        number = chosen.count()
        if number > MOST_AT_ONCE:
            text = _(
                "Nothing was done: %(number)d are chosen, and %(most)d at a time are the most. Filter the list."
            )
            self.message_user(request, text % {"number": number, "most": MOST_AT_ONCE}, messages.ERROR)
        return number <= MOST_AT_ONCE

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        signals.object_added.send(
            sender=type(obj), request=request, user=request.user, obj=obj, changed=changed_fields(message)
        )
        return LogEntry()

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        signals.object_changed.send(
            sender=type(obj), request=request, user=request.user, obj=obj, changed=changed_fields(message)
        )
        return LogEntry()

    def log_deletions(self, request: HttpRequest, queryset: Any) -> list[LogEntry]:
        for obj in queryset:
            signals.object_deleted.send(
                sender=type(obj), request=request, user=request.user, obj=obj, changed=[]
            )
        return []


class ToldByServices:
    """Before the admin's class, where a model is stored through services: they have told the trail."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return LogEntry()

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return LogEntry()


class DeletedByServices(ToldByServices):
    """The same where services delete its rows too."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> list[LogEntry]:
        return []


class LookedAtModelAdmin(HotelModelAdmin):
    """A model that is only looked at: what becomes of its rows is done elsewhere, or by actions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlatformModelAdmin(HotelModelAdmin):
    """A model in the platform's admin; asking for it in a hotel's context is a mistake of ours, and refused."""

    def get_queryset(self, request: HttpRequest) -> Any:
        if current_tenant().id is not None:
            raise RuntimeError("A platform page was opened in a hotel's context.")
        return super().get_queryset(request)


def changed_fields(message: Any) -> list[str]:
    """The names of the fields in Django's change message, also of inline rows."""
    names: list[str] = []
    for part in message if isinstance(message, list) else []:
        for change in part.values():
            names += [str(name) for name in change.get("fields", [])]
    return sorted(set(names))
