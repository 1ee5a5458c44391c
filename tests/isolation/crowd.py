"""The threads of the isolation program."""

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
from tests.isolation.plan import OURS, Plan, Result
from tests.isolation.world import PLATFORM_NAME, World


def run(plan: Plan) -> Result:
    world = World(**plan.world)
    tenant_of = {world.name(n): world.tenant(n) for n in range(world.hotels)}

    @contextmanager
    def enter_ours(name: str) -> Iterator[None]:
        with platform_context() if name == PLATFORM_NAME else hotel_context(tenant_of[name]):
            yield

    @contextmanager
    def enter_peers(name: str) -> Iterator[None]:
        peer: Any = connection
        before = peer.tenant
        peer.set_schema("public" if name == PLATFORM_NAME else tenant_of[name].schema)
        try:
            yield
        finally:
            peer.set_tenant(before)

    enter = enter_ours if plan.engine == OURS else enter_peers
    web.entrance.append(enter)
    chosen = [op for op in operations.ALL if not plan.kinds or op.__name__ in plan.kinds]
    result, lock = Result(), threading.Lock()
    names = list(tenant_of)

    def thread(number: int, operations_each: int, pool: ThreadPoolExecutor) -> None:
        dice = random.Random(plan.seed * 1000 + number)  # noqa: S311 - a seed repeats the run
        for _ in range(operations_each):
            operation = dice.choice(chosen)
            name, other = dice.sample(names, 2)
            committed, wrong, error = 0, "", ""
            try:
                with enter(name):
                    committed = operation(operations.Here(name=name, other=other, enter=enter, pool=pool))
            except operations.WrongHotel as problem:
                wrong = f"{operation.__name__}: {problem}" if plan.engine == OURS else operation.__name__
            except Exception as problem:  # noqa: BLE001 - every kind of error is counted
                error = f"{operation.__name__}: {type(problem).__name__}: {str(problem).splitlines()[0]}"
            with lock:
                result.done[operation.__name__] += 1
                result.committed += committed
                result.wrong.update([wrong] if wrong else [])
                result.errors.update([error] if error else [])
        connection.close()

    began = time.perf_counter()
    # The inner pool is shared: its threads serve one hotel after another.
    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(plan.threads) as threads:
        each = -(-plan.operations // plan.threads)
        for future in [threads.submit(thread, n, each, pool) for n in range(plan.threads)]:
            future.result()
        for future in [pool.submit(_close) for _ in range(8)]:
            future.result()
    result.seconds = time.perf_counter() - began
    return result


def _close() -> None:
    # Not `connection.close` itself: that would be bound to the thread that names it.
    connection.close()
