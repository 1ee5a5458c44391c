"""Services with which managers confirm and skip steps of the set-up, and hide and show the checklist."""

from __future__ import annotations

from django.db import transaction

from audit.services import record
from reminders.setup import events
from reminders.setup.models import SetupProgress
from reminders.setup.steps import SetupStep


def confirm_step(step: SetupStep) -> None:
    """Store that the step is done. If the step was already confirmed, nothing is changed or recorded."""
    with transaction.atomic():
        progress = SetupProgress.objects.lock()
        if step not in progress.confirmed_steps:
            progress.confirmed_steps = sorted({*progress.confirmed_steps, step})
            progress.save(update_fields=["confirmed_steps"])
            record(events.SETUP_STEP_CONFIRMED, step=step)


def skip_step(step: SetupStep) -> None:
    """Store that the hotel does not need the step. If the step was already skipped, nothing is changed or recorded."""
    with transaction.atomic():
        progress = SetupProgress.objects.lock()
        if step not in progress.skipped_steps:
            progress.skipped_steps = sorted({*progress.skipped_steps, step})
            progress.save(update_fields=["skipped_steps"])
            record(events.SETUP_STEP_SKIPPED, step=step)


def resume_step(step: SetupStep) -> None:
    """Put a skipped step back on the checklist. If the step is not skipped, nothing is changed or recorded."""
    with transaction.atomic():
        progress = SetupProgress.objects.lock()
        if step in progress.skipped_steps:
            progress.skipped_steps = [name for name in progress.skipped_steps if name != step]
            progress.save(update_fields=["skipped_steps"])
            record(events.SETUP_STEP_RESUMED, step=step)


def set_checklist_hidden(*, is_hidden: bool) -> None:
    """Hide the checklist on the start page of all managers, or show it again."""
    with transaction.atomic():
        progress = SetupProgress.objects.lock()
        if progress.is_hidden != is_hidden:
            progress.is_hidden = is_hidden
            progress.save(update_fields=["is_hidden"])
            record(events.SETUP_CHECKLIST_HIDDEN if is_hidden else events.SETUP_CHECKLIST_SHOWN)
