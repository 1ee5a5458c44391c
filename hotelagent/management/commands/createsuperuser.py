"""`createsuperuser`: refused, in favour of a command that knows hotels."""

from hotelagent.management.replaced_command import ReplacedCommand


class Command(ReplacedCommand):
    help = reason = "Permissions depend on roles, so there are no superusers. Use create_staff."
