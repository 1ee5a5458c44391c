"""The command `waffle_sample`, whose changes are recorded in the audit trail."""

from waffle.management.commands import waffle_sample

from hotelagent.management.flag_command import FlagCommand


class Command(FlagCommand, waffle_sample.Command):
    pass
