"""Admin pages of the dead-letter queue. Each module registers its pages when it is imported."""

from dlq.admin import failures, groups, redrives, settings  # noqa: F401
