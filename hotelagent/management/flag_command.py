"""The base class of the commands that change feature flags (django-waffle)."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from tenants.context import platform_context


class FlagCommand(BaseCommand):
    """Mixin that runs a command of django-waffle and records the audit events in the same transaction.

    Put the mixin to the left of waffle's command.
    """

    def handle(self, *args: Any, **options: Any) -> Any:
        with platform_context(), transaction.atomic():
            return super().handle(*args, **options)
