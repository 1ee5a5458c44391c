"""A program whose processes request holds on the same rooms at the same time. Some of the processes are killed.

Run as `python -m tests.races.crowd PLAN`, where PLAN is a `Plan` as JSON. Each process writes a file with a line for
each hold that the process acquired. The test compares these lines with the database.
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
    """The parameters of a race. `algorithm` is "ours" or "original" (tests.races.original).

    After half of the rounds, the first `killed_processes` processes are killed, together with the callers, which are
    threads of these processes.
    """

    algorithm: str
    processes: int
    callers: int
    rounds: int
    rooms: list[int]
    first_night: str
    folder: str
    killed_processes: int = 0

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
    # The processes are forked from a process that has started Django, because starting Django takes most of the time.
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

        def report(granted: Granted) -> None:
            with lock:
                out.write(json.dumps(asdict(granted)) + "\n")

        threads = [
            threading.Thread(target=callers.run, args=(plan, process, number, start, report))
            for number in range(plan.callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out.write("done\n")


if __name__ == "__main__":
    main()
