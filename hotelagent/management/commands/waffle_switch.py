"""The command `waffle_switch`, which changes a feature switch and records the change in the audit trail."""

from waffle.management.commands import waffle_switch

from hotelagent.management.flag_command import FlagCommand


class Command(FlagCommand, waffle_switch.Command):
    pass
