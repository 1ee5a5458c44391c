"""The command `loaddata`: always fails and names the command to use instead."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = (
        "loaddata does not know hotels. Use restore_hotel, which restores one hotel from a file of backup_hotel."
    )
