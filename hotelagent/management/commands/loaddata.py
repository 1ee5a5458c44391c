"""A replacement for Django's `loaddata` that always fails. The error names the command to use instead."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = (
        "loaddata does not support hotels. Use restore_hotel, which restores one hotel from a file of backup_hotel."
    )
