"""The admin pages for rooms, allocations, the waiting list and webhooks. Importing a module registers its pages."""

from locks.admin import allocations, rooms, search  # noqa: F401
from locks.waiting_list import admin as waiting_list_admin  # noqa: F401
from locks.webhooks import admin as webhook_admin  # noqa: F401
