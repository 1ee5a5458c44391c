"""Admin pages for reservations and reminders. Each module registers its pages when it is imported."""

from reminders.admin import (  # noqa: F401
    branding,
    calendars,
    failures,
    file_imports,
    reminders,
    reservations,
    rules,
    search,
    suppressions,
    templates,
)
from reminders.admin.front_desk import today  # noqa: F401
from reminders.setup import admin as _setup  # noqa: F401
