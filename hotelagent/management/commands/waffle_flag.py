"""The command `waffle_flag`, which changes a feature flag and records the change in the audit trail."""

from waffle.management.commands import waffle_flag

from hotelagent.management.flag_command import FlagCommand


class Command(FlagCommand, waffle_flag.Command):
    pass
