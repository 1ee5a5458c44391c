"""The admin of rooms, stays, the waiting list and webhooks."""

from locks.admin import rooms  # noqa: F401 - they register themselves
from locks.waiting_list import admin as waiting_admin  # noqa: F401 - they register themselves
from locks.webhooks import admin as webhook_admin  # noqa: F401 - they register themselves
