"""The state of the Celery workers and of their queues, as the workers and the broker report it."""

import time
from dataclasses import dataclass
from typing import Any

from celery import current_app as app
from kombu.exceptions import OperationalError
from redis import RedisError

from hotelagent.overview import heartbeats

#: Workers have this number of seconds to respond. A worker whose processes are all busy responds nevertheless.
TIMEOUT_SECONDS = 1.0
#: The errors if the broker is unavailable.
BROKER_ERRORS = (OperationalError, RedisError, OSError)


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task that a worker is running. The arguments are left out, because they may contain secrets."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker. `waiting` is the number of messages that the worker has received but not started.

    `responds` is false for a worker that has stored a heartbeat within the last minute, but does not respond.
    """

    name: str
    responds: bool
    processes: int = 0
    queues: tuple[str, ...] = ()
    running: tuple[RunningTask, ...] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the broker. `messages` is the number of messages that no worker has received."""

    name: str
    messages: int
    workers: int


@dataclass(frozen=True, slots=True)
class State:
    workers: list[Worker]
    queues: list[Queue]


def read_state() -> State:
    """Return the workers and queues. The call lasts until all workers have responded, or a second for each question.

    Raises one of BROKER_ERRORS.
    """
    alive = heartbeats.read_workers()
    replies = _ask_workers(alive) if alive else {}
    workers = [_worker(name, replies) for name in sorted({*alive, *replies.get("stats", {})})]
    names = {str(app.conf.task_default_queue), *(queue for worker in workers for queue in worker.queues)}
    with app.connection_for_write() as broker:
        queues = [
            Queue(name, _count_messages(broker, name), sum(name in worker.queues for worker in workers))
            for name in sorted(names)
        ]
    return State(workers, queues)


def _ask_workers(alive: list[str]) -> dict[str, dict[str, Any]]:
    with app.connection_for_write() as broker:
        # With a limit, the call does not wait for the timeout after the last worker has responded.
        inspect = app.control.inspect(timeout=TIMEOUT_SECONDS, connection=broker, limit=len(alive))
        questions = ("stats", "active_queues", "active", "reserved")
        return {question: getattr(inspect, question)() or {} for question in questions}


def _worker(name: str, replies: dict[str, dict[str, Any]]) -> Worker:
    if name not in replies.get("stats", {}):
        return Worker(name, responds=False)
    now = time.time()
    running = [
        RunningTask(str(task["name"]), max(0.0, now - float(task.get("time_start") or now)))
        for task in replies["active"].get(name, [])
    ]
    return Worker(
        name,
        responds=True,
        processes=int(replies["stats"][name].get("pool", {}).get("max-concurrency") or 0),
        queues=tuple(sorted(str(queue["name"]) for queue in replies["active_queues"].get(name, []))),
        running=tuple(sorted(running, key=lambda task: -task.seconds)),
        waiting=len(replies["reserved"].get(name, [])),
    )


def _count_messages(broker: Any, queue: str) -> int:
    # A passive declaration would fail: kombu 5.7 looks for the queue without the prefix of our keys.
    # Redis stores nothing for a declaration that is not passive.
    return int(broker.default_channel.queue_declare(queue).message_count)
