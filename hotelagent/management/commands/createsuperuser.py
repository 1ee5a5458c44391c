"""A replacement for Django's `createsuperuser` that always fails. The error names the command to use instead."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = "Permissions depend on roles, so there are no superusers. Use create_staff."
