"""The base classes of all model admins of the project."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import BinaryField, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from hotelagent.admin import navigation, signals
from hotelagent.admin.lists import EmptyList, HotelChangeList
from hotelagent.admin.navigation import Group
from tenants.context import current_tenant
from tenants.errors import DomainError
from tenants.personal_data import identifies_people
from tenants.signals import personal_data_read

Row = TypeVar("Row", bound=Model)

#: Maximum number of rows for an action that calls a service for each row. More rows could exceed a proxy's timeout.
MAX_SELECTED = 500


class HotelModelAdmin(ModelAdmin):  # type: ignore[misc]
    """Base class of the model admins of both sites.

    Permissions are derived from the scopes of the user's role. Changes are recorded in the audit trail instead of
    Django's `LogEntry`, and the history page of an object shows the audit trail.
    """

    icon = navigation.DEFAULT_ICON
    in_menu = True
    menu_group = Group.SETUP
    menu_order = 100
    tab_of = ""
    item_title: str | Promise = ""
    stylesheets: tuple[str, ...] = ()
    #: The text of the list if it has no rows.
    empty_list: EmptyList | None = None
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
        [(_receiver, page)] = signals.history_requested.send(
            sender=self.model, request=request, model_admin=self, object_id=object_id
        )
        return cast("HttpResponse", page)

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> Any:
        return HotelChangeList

    def get_empty_list(self, _change_list: HotelChangeList) -> EmptyList | None:
        """Return the text of the list if it has no rows. The text may depend on the selected tab above the list."""
        return self.empty_list

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Return whether the URL of a list may filter by this field. Digests and encrypted values are refused."""
        names = set(lookup.split(LOOKUP_SEP))
        if any(field.name in names for field in self.opts.fields if isinstance(field, BinaryField)):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def is_list_request(self, request: HttpRequest) -> bool:
        """Return whether the request is for this model's list page. Requests that run an admin action are included."""
        match, name = request.resolver_match, f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return match is not None and match.url_name == name

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list with the model's name as its title, as in the menu.

        If the database rejects a query parameter, such as a malformed id, redirect to the unfiltered list.
        """
        title = capfirst(str(self.opts.verbose_name_plural))
        try:
            page = super().changelist_view(request, {"title": title, **(extra_context or {})})
        except (DataError, ValidationError):
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        change_list = (getattr(page, "context_data", None) or {}).get("cl")
        if request.method == "GET" and change_list is not None:
            self._report_read(request, [str(obj.pk) for obj in change_list.result_list])
        return page

    def _report_read(self, request: HttpRequest, ids: list[str]) -> None:
        """Report the displayed objects to the audit trail if they identify guests or staff."""
        if identifies_people(self.opts.db_table):
            kind = str(self.opts.model_name)
            personal_data_read.send(self.model, request=request, kind=kind, ids=ids)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the `DomainError` of a service as a message on the form instead of a server error."""
        context = {"show_history": request.user.has_perm("audit.view_event"), **(extra_context or {})}
        if object_id is not None:
            context.setdefault("title", capfirst(str(self.opts.verbose_name)))
        try:
            page = super().changeform_view(request, object_id, form_url, context)
        except DomainError as error:
            # Django saves a form in a transaction, and the error has rolled back this transaction.
            self.message_user(request, str(error.detail), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        if request.method == "GET" and object_id is not None and page.status_code == HTTPStatus.OK:
            self._report_read(request, [unquote(object_id)])
        return page

    def apply_to_each(
        self,
        request: HttpRequest,
        rows: Iterable[Row],
        operation: Callable[[Row], object],
        *,
        label: Callable[[Row], str] = str,
    ) -> list[Row]:
        """Call `operation` for every row and return the rows for which the call succeeded.

        If a call raises a `DomainError`, show a message with the row's label and continue with the next row.
        """
        succeeded = []
        for row in rows:
            try:
                operation(row)
            except DomainError as error:
                self.message_user(request, f"{label(row)}: {error.detail}", messages.ERROR)
            else:
                succeeded.append(row)
        return succeeded

    def check_selection_size(self, request: HttpRequest, selected: QuerySet[Any]) -> bool:
        """Return whether at most `MAX_SELECTED` rows are selected. Show an error message if there are more."""
        count = selected.count()
        if count > MAX_SELECTED:
            text = _(
                "Select at most %(limit)d rows at a time. %(count)d were selected, and nothing was changed."
            )
            self.message_user(request, text % {"count": count, "limit": MAX_SELECTED}, messages.ERROR)
        return count <= MAX_SELECTED

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


class ChangesAuditedByServices:
    """Mixin for admin classes of models whose services record every change in the audit trail.

    The mixin prevents the admin from recording each change a second time. Put it to the left of the model admin class.
    """

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return LogEntry()

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return LogEntry()


class DeletionsAuditedByServices(ChangesAuditedByServices):
    """Mixin for admin classes of models whose services record every change and every deletion in the audit trail."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> list[LogEntry]:
        return []


class SettingsPageAdmin(ChangesAuditedByServices, HotelModelAdmin):
    """Base class of the admin page for settings: a model with one row per tenant. There is no list page.

    The manager of the model is a `TenantRowManager`, unless a subclass defines `get_object`.
    """

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the additional template variables of the page."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # The object has the name of the page, so the title contains the name once.
        context = {"subtitle": None, **self.page_context(request), **(extra_context or {})}
        page: HttpResponse = self.change_view(request, "1", extra_context=context)
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        return self.model.objects.read() if object_id == "1" else None

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        self.message_user(request, _("The settings were saved."), messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyModelAdmin(HotelModelAdmin):
    """Base class of admin classes that only display a model. Rows change through services or admin actions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlatformModelAdmin(HotelModelAdmin):
    """Base class of admin classes of the platform site. Raises RuntimeError if it is used in the context of a hotel."""

    def get_queryset(self, request: HttpRequest) -> Any:
        if current_tenant().id is not None:
            raise RuntimeError("A platform page was opened in a hotel's context.")
        return super().get_queryset(request)


def changed_fields(message: Any) -> list[str]:
    """Return the sorted names of the changed fields in Django's change message, including fields of inline rows."""
    names: list[str] = []
    for part in message if isinstance(message, list) else []:
        for change in part.values():
            names += [str(name) for name in change.get("fields", [])]
    return sorted(set(names))
