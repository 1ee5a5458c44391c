"""Run once before the tests, as a process of its own: fills the database that every worker's is a copy of."""

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("create_hotel", "alpha", "--name", "Hotel Alpha", "--timezone", "Europe/Lisbon")
    call_command("create_hotel", "beta", "--name", "Hotel Beta", "--timezone", "America/New_York")


if __name__ == "__main__":
    main()
