"""`loaddata`: refused, in favour of a command that knows hotels."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = (
        "loaddata does not know hotels. Use restore_hotel, which restores one hotel from a file of backup_hotel."
    )
