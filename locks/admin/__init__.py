"""The admin of rooms, stays, the waiting list and webhooks."""

from locks.admin import rooms, waiting, webhooks  # noqa: F401 - they register themselves
