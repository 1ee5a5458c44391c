"""The command-line arguments that `deploy/bin/deploy` and `deploy/bin/rollback` share."""

import argparse
from pathlib import Path

from deploy.rollout import Services, Watch

BIN = Path(__file__).resolve().parent / "bin"


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--services", required=True, metavar="systemd|compose|PROGRAM",
        help="The service manager, or the program that runs its commands (deploy/bin/README.md).",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="Print each step, and change nothing.")
    parser.add_argument(
        "--watch", type=float, default=60, metavar="SECONDS",
        help="For how long requests and health are watched after each step (default: 60).",
    )  # fmt: skip
    parser.add_argument(
        "--max-errors", type=float, default=2, metavar="PERCENT",
        help="The share of requests with a server error above which the deployment fails (default: 2).",
    )  # fmt: skip
    parser.add_argument(
        "--state", type=Path, default=Path("/var/lib/hotelagent/deploy.json"), metavar="FILE",
        help="The file with the version before the last deployment (default: %(default)s).",
    )  # fmt: skip


def services_of(options: argparse.Namespace) -> Services:
    program = options.services
    if program in {"systemd", "compose"}:
        program = str(BIN / f"services-{program}")
    return Services(program, dry_run=options.dry_run)


def watch_of(options: argparse.Namespace) -> Watch:
    return Watch(seconds=options.watch, max_error_percent=options.max_errors)
