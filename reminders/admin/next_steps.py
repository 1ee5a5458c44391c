"""The links that empty lists show, to pages on which staff can add the first rows."""

from django.utils.translation import gettext_lazy as _

from hotelagent.admin.lists import NextStep

IMPORT_RESERVATIONS = NextStep(
    _("Import reservations"),
    "admin:reminders_reservationimport_changelist",
    scope="reservations:write",
    icon="upload_file",
)
LINK_CALENDAR = NextStep(
    _("Link a calendar"),
    "admin:reminders_linkedcalendar_add",
    scope="reservations:write",
    icon="calendar_add_on",
)
SHOW_ALL_RESERVATIONS = NextStep(
    _("Show all reservations"),
    "admin:reminders_reservation_changelist",
    scope="reservations:read",
    query="?view=all",
)
SHOW_RULES = NextStep(_("Show rules"), "admin:reminders_rule_changelist", scope="reminders:read", icon="rule")
