"""A replacement for Django's `flush` that always fails. The error names the command to use instead."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = "flush would delete the data of all hotels. Use erase_hotel, which deletes one hotel."
