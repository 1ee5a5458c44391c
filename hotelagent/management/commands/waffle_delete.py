"""The command `waffle_delete`, which deletes feature flags and records the deletion in the audit trail."""

from waffle.management.commands import waffle_delete

from hotelagent.management.flag_command import FlagCommand


class Command(FlagCommand, waffle_delete.Command):
    pass
