"""The command `waffle_sample`, which changes a feature sample and records the change in the audit trail."""

from waffle.management.commands import waffle_sample

from hotelagent.management.flag_command import FlagCommand


class Command(FlagCommand, waffle_sample.Command):
    pass
