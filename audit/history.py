"""The history page of any object in the admin: its timeline, from the trail."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from audit.selectors import timeline_of
from hotelagent.admin.signals import history_requested

SHOWN = 200


@receiver(history_requested)
def page(*, request: HttpRequest, model_admin: Any, object_id: str, **_kwargs: Any) -> HttpResponse:
    """Who may see the object and read the trail sees what happened to it, newest first."""
    thing = model_admin.get_object(request, unquote(object_id))
    if thing is None:
        raise Http404
    may_read = request.user.has_perm("audit.view_event")
    if not (may_read and model_admin.has_view_or_change_permission(request, thing)):
        raise PermissionDenied
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(
        request,
        "audit/history.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": _("What happened to %s") % thing,
            "subtitle": None,
            "object": thing,
            "opts": model_admin.opts,
            "events": timeline_of(thing)[:SHOWN],
            "shown": SHOWN,
        },
    )
