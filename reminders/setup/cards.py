"""The checklist of the set-up, as a panel of the start page and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from hotelagent.admin import dashboard
from hotelagent.admin.dashboard import Panel
from reminders.setup.steps import CONFIRMABLE, TITLES, SetupStep, read_state
from tenants.unaudited import unaudited

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

STYLESHEET = "reminders/setup.css"
#: The scope that is required to see the checklist. Managers have this scope.
SCOPE = "reminders:manage"
CONFIRM, SKIP, RESUME, HIDE, SHOW = "confirm", "skip", "resume", "hide", "show"


@dataclass(frozen=True, slots=True)
class Link:
    label: str | StrPromise
    url_name: str

    @property
    def url(self) -> str:
        return reverse(self.url_name)


@dataclass(frozen=True, slots=True)
class StepText:
    """The texts about a step in the checklist, and the links to the pages on which users complete the step."""

    title: str | StrPromise
    text: str | StrPromise
    links: tuple[Link, ...]


_TEXTS = {
    SetupStep.ROOMS: StepText(
        TITLES[SetupStep.ROOMS],
        _("Generate the room numbers by floor, import a list, or add single rooms."),
        (
            Link(_("Generate rooms"), "admin:locks_room_generate_rooms"),
            Link(_("Import rooms"), "admin:reminders_roomimport_changelist"),
            Link(_("Add a room"), "admin:locks_room_add"),
        ),
    ),
    SetupStep.STAFF: StepText(
        TITLES[SetupStep.STAFF],
        _("Each person gets an account. The role decides what the person may see and change."),
        (Link(_("Add a person"), "admin:tenants_user_add"),),
    ),
    SetupStep.SENDER: StepText(
        TITLES[SetupStep.SENDER],
        _("Guests who answer an e-mail of the hotel write to this address."),
        (Link(_("Set the reply address"), "admin:reminders_sender"),),
    ),
    SetupStep.BRANDING: StepText(
        TITLES[SetupStep.BRANDING],
        _("All e-mails to guests and all guest pages have this logo and this colour."),
        (Link(_("Open the e-mail branding"), "admin:reminders_emailbranding_changelist"),),
    ),
    SetupStep.RULES: StepText(
        TITLES[SetupStep.RULES],
        _(
            "The rules say when reminders are sent. Each rule has a template for each language of your guests."
        ),
        (
            Link(_("Check the rules"), "admin:reminders_rule_changelist"),
            Link(_("Check the templates"), "admin:reminders_template_changelist"),
        ),
    ),
    SetupStep.TEST_EMAIL: StepText(
        TITLES[SetupStep.TEST_EMAIL],
        _("Look at a reminder in your own inbox, as a guest will see it."),
        (Link(_("Send a test e-mail"), "admin:reminders_sender"),),
    ),
    SetupStep.RESERVATIONS: StepText(
        TITLES[SetupStep.RESERVATIONS],
        _(
            "Upload an export of your property management system, or enter reservations. "
            "Reminders are planned automatically."
        ),
        (
            Link(_("Import reservations"), "admin:reminders_reservationimport_changelist"),
            Link(_("New reservation"), "admin:reminders_reservation_add"),
        ),
    ),
    SetupStep.CALENDARS: StepText(
        TITLES[SetupStep.CALENDARS],
        _("Bookings of Booking.com, Airbnb and other channels then occupy the rooms automatically."),
        (Link(_("Link a calendar"), "admin:reminders_linkedcalendar_add"),),
    ),
    SetupStep.API_KEYS: StepText(
        TITLES[SetupStep.API_KEYS],
        _("A booking engine or a channel manager needs an API key."),
        (Link(_("Create an API key"), "admin:tenants_apikey_add"),),
    ),
}


def checklist(*, is_page: bool) -> dict[str, Any]:
    """Return the template variables of the checklist."""
    state = read_state()
    steps = [
        {
            "name": step.value,
            "text": _TEXTS[step],
            "is_done": step in state.done,
            "is_skipped": step in state.skipped,
            "is_next": step in state.open[:1],
            "is_confirmable": step in CONFIRMABLE,
        }
        for step in SetupStep
    ]
    return {
        "steps": steps,
        "done": len(state.done),
        "total": len(SetupStep) - len(state.skipped),
        "is_complete": not state.open,
        "is_hidden": state.is_hidden,
        "is_page": is_page,
        "act_url": reverse("admin:reminders_setup_act"),
        "page_url": reverse("admin:reminders_setupprogress_changelist"),
    }


@dashboard.register_panel(scope=SCOPE, order=-10)
@unaudited("The checklist says whether there are reservations and colleagues, and shows none of them.")
def setup_checklist(_request: HttpRequest) -> Panel | None:
    """Return the checklist until all steps are done or skipped, or until a manager has hidden the checklist."""
    context = checklist(is_page=False)
    if context["is_complete"] or context["is_hidden"]:
        return None
    return Panel("reminders/setup.html", context, stylesheet=STYLESHEET)
