"""The command `waffle_switch`, whose changes are recorded in the audit trail."""

from waffle.management.commands import waffle_switch

from hotelagent.management.flag_command import FlagCommand


class Command(FlagCommand, waffle_switch.Command):
    pass
