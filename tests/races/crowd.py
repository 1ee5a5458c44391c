"""Callers who all want the same rooms at the same moment, in processes of their own, some of which are killed.

`python -m tests.races.crowd PLAN`, with a Plan as JSON. Each process writes to a file of its own in the plan's
folder: a line for each room that a caller was given, as soon as it was, then "done". What the callers believe
is then compared with what the database says.
"""

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import django


@dataclass(frozen=True)
class Plan:
    """`algorithm`: "ours" or "original" (tests.races.original). Each round is one window of a few nights.

    The first `doomed` processes are killed half way, while their callers are at work.
    """

    algorithm: str
    processes: int
    callers: int
    rounds: int
    rooms: list[int]
    first_night: str
    folder: str
    doomed: int = 0

    def file(self, process: int) -> Path:
        return Path(self.folder) / f"{process}.jsonl"


@dataclass(frozen=True)
class Granted:
    room: int
    check_in: str
    check_out: str
    id: str


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    django.setup()
    # Forked before anything connects: starting Django once is most of what this costs.
    children = [_forked(plan, process) for process in range(plan.processes)]
    for child in children:
        os.waitpid(child, 0)


def _forked(plan: Plan, process: int) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _process(plan, process)
            status = 0
        finally:
            os._exit(status)
    return child


def _process(plan: Plan, process: int) -> None:
    from tests.races import callers  # noqa: PLC0415 - its models need Django's apps

    start = threading.Barrier(plan.callers)
    lock = threading.Lock()
    with plan.file(process).open("w", buffering=1) as out:

        def say(granted: Granted) -> None:
            with lock:
                out.write(json.dumps(asdict(granted)) + "\n")

        threads = [
            threading.Thread(target=callers.run, args=(plan, process, number, start, say))
            for number in range(plan.callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out.write("done\n")


if __name__ == "__main__":
    main()
