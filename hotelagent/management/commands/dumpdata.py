"""A replacement for Django's `dumpdata` that always fails. The error names the command to use instead."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = (
        "dumpdata does not support hotels. Use backup_hotel, which writes one hotel to a file, and restore_hotel."
    )
