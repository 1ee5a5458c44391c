"""The links of empty lists and of the empty room board, such as the link to the page that generates rooms."""

from django.utils.translation import gettext_lazy as _

from hotelagent.admin.lists import NextStep

GENERATE_ROOMS = NextStep(
    _("Generate rooms"), "admin:locks_room_generate_rooms", scope="rooms:write", icon="auto_awesome"
)
ADD_ROOM = NextStep(_("Add a room"), "admin:locks_room_add", scope="rooms:write", icon="add")
IMPORT_ROOMS = NextStep(
    _("Import rooms"), "admin:reminders_roomimport_changelist", scope="rooms:write", icon="upload_file"
)
SHOW_ALL_ALLOCATIONS = NextStep(
    _("Show all holds and stays"), "admin:locks_allocation_changelist", scope="locks:read", query="?view=all"
)
OPEN_BOARD = NextStep(
    _("Open the room board"), "admin:locks_board", scope="locks:read", icon="calendar_view_week"
)
