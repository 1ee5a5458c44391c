"""The audit events of the set-up of a hotel: its steps, the reply address and the test e-mail."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register
from reminders.models import FIRST_RULES
from reminders.setup.steps import TITLES

REPLY_ADDRESS_CHANGED = register(
    "email.reply_address_changed", description=_("{actor} changed the reply address of the hotel's e-mails")
)
TEST_EMAIL_SENT = register(
    "email.test_sent",
    description=_("{actor} sent a test e-mail to themselves: template “{rule}” ({language})"),
    fields=("rule", "language"),
    labels={"rule": FIRST_RULES},
)
_STEPS = {step.value: title for step, title in TITLES.items()}
SETUP_STEP_CONFIRMED = register(
    "setup.step_confirmed",
    description=_("The set-up step “{step}” is done"),
    fields=("step",),
    labels={"step": _STEPS},
)
SETUP_STEP_SKIPPED = register(
    "setup.step_skipped",
    description=_("{actor} skipped the set-up step “{step}”"),
    fields=("step",),
    labels={"step": _STEPS},
)
SETUP_STEP_RESUMED = register(
    "setup.step_resumed",
    description=_("{actor} resumed the set-up step “{step}”"),
    fields=("step",),
    labels={"step": _STEPS},
)
SETUP_CHECKLIST_HIDDEN = register("setup.checklist_hidden", description=_("{actor} hid the set-up checklist"))
SETUP_CHECKLIST_SHOWN = register(
    "setup.checklist_shown", description=_("{actor} showed the set-up checklist again")
)
