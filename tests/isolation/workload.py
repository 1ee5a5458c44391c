"""The threads of the isolation workload. Each thread runs random operations for random hotels."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tenants.context import hotel_context, platform_context
from tests.isolation import operations
from tests.isolation.app import web
from tests.isolation.isolation_database import PLATFORM_NAME, IsolationDatabase
from tests.isolation.workload_plan import OURS, WorkloadPlan, WorkloadResult


def run(plan: WorkloadPlan) -> WorkloadResult:
    database = IsolationDatabase(**plan.database)
    tenants = {database.name(n): database.tenant(n) for n in range(database.hotels)}

    @contextmanager
    def enter_ours(name: str) -> Iterator[None]:
        with platform_context() if name == PLATFORM_NAME else hotel_context(tenants[name]):
            yield

    @contextmanager
    def enter_peer(name: str) -> Iterator[None]:
        peer: Any = connection
        previous = peer.tenant
        peer.set_schema("public" if name == PLATFORM_NAME else tenants[name].schema)
        try:
            yield
        finally:
            peer.set_tenant(previous)

    enter = enter_ours if plan.engine == OURS else enter_peer
    web.enter_hotel.append(enter)
    chosen = [op for op in operations.OPERATIONS if not plan.kinds or op.__name__ in plan.kinds]
    result, lock = WorkloadResult(), threading.Lock()
    names = list(tenants)

    def run_thread(number: int, operations_each: int, pool: ThreadPoolExecutor) -> None:
        generator = random.Random(plan.seed * 1000 + number)  # noqa: S311 - the seed makes the run repeatable
        for _ in range(operations_each):
            operation = generator.choice(chosen)
            name, other = generator.sample(names, 2)
            committed, wrong, error = 0, "", ""
            try:
                with enter(name):
                    committed = operation(operations.Scene(name=name, other=other, enter=enter, pool=pool))
            except operations.WrongHotel as exception:
                wrong = f"{operation.__name__}: {exception}" if plan.engine == OURS else operation.__name__
            except Exception as exception:  # noqa: BLE001 - all errors are counted
                error = f"{operation.__name__}: {type(exception).__name__}: {str(exception).splitlines()[0]}"
            with lock:
                result.done[operation.__name__] += 1
                result.committed += committed
                result.wrong.update([wrong] if wrong else [])
                result.errors.update([error] if error else [])
        connection.close()

    started = time.perf_counter()
    # The operations of all threads share the threads of `pool`, each of which serves one hotel after another.
    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(plan.threads) as threads:
        operations_each = -(-plan.operations // plan.threads)
        for future in [threads.submit(run_thread, n, operations_each, pool) for n in range(plan.threads)]:
            future.result()
        for future in [pool.submit(_close_connection) for _ in range(8)]:
            future.result()
    result.seconds = time.perf_counter() - started
    return result


def _close_connection() -> None:
    # `connection` is a proxy, so this function closes the connection of the thread that calls the function.
    connection.close()
