"""Benchmarks of finding the hotel of a host name, and of creating and migrating hotels.

For comparison, the same operations are measured with django-tenants and the same tables.
"""

import statistics
from collections.abc import Callable

from tests.benchmarks.contestants import Contestant, both
from tests.benchmarks.harness import Row, median_ratio, row, servers
from tests.tenants.sql import MAX_RELATIONS

IDS = ("relations-per-hotel", "resolve-host", "create-hotel", "migrate-idle", "migrate-addfield")

HOTELS = 500
HOTELS_WHEN_CREATING = 200
#: Number of django-tenants' tenants in the benchmarks of migrations.
#: The commands of django-tenants process one tenant after the other, which takes minutes for HOTELS tenants.
#: So the time of the commands is measured with fewer tenants and multiplied.
PEER_TENANTS = 60
ROUNDS = 5


def measure(ids: list[str]) -> list[Row]:
    rows = []
    with servers() as running, both(running) as (ours, peer):
        peer("fill", 0, PEER_TENANTS)
        our_hotels = HOTELS if {"migrate-idle", "migrate-addfield"} & set(ids) else HOTELS_WHEN_CREATING
        ours("fill", 0, our_hotels)
        if "relations-per-hotel" in ids:
            rows.append(_relations(ours))
        if "resolve-host" in ids:
            rows.append(_resolve(ours, peer))
        if "migrate-idle" in ids:
            rows.append(_idle(ours, peer))
        if "migrate-addfield" in ids:
            rows.append(_add_field(ours, peer))
        if "create-hotel" in ids:
            # hotelagent may have more hotels than django-tenants here, which does not make hotelagent faster.
            peer("fill", PEER_TENANTS, HOTELS_WHEN_CREATING - PEER_TENANTS)
            rows += _create(ours, peer)
    return rows


def _relations(ours: Contestant) -> Row:
    count = ours("relations")
    return Row(
        id="relations-per-hotel",
        what="tables, indexes and sequences per hotel; no peer, the bar is the limit of the tests",
        ours=count,
        peer=None,
        ratio=None,
        bar=MAX_RELATIONS,
        holds=count <= MAX_RELATIONS,
    )


def _resolve(ours: Contestant, peer: Contestant) -> Row:
    a, b = _rounds(lambda _n: ours("resolve") * 1e6, lambda _n: peer("resolve") * 1e6, rounds=11)
    what = "host to hotel in a warm process, us per request; peer: TenantMainMiddleware (bar: 20 x faster)"
    return row("resolve-host", what, ours=statistics.median(a), peer=statistics.median(b),
               ratio=median_ratio(a, b), bar=1 / 20)  # fmt: skip


def _create(ours: Contestant, peer: Contestant) -> list[Row]:
    our_times, migrating, cloning = [], [], []
    for number in range(ROUNDS):
        our_times.append(ours("create", number) * 1e3)
        migrating.append(peer("create_by_migrating", f"migrated{number}") * 1e3)
        cloning.append(peer("create_by_clone", f"cloned{number}") * 1e3)
    return [
        row("create-hotel", f"creation of an active hotel, ms, at {HOTELS_WHEN_CREATING} hotels; peer: {method}",
            ours=statistics.median(our_times), peer=statistics.median(theirs),
            ratio=median_ratio(our_times, theirs), bar=1 / faster)
        for method, theirs, faster in (
            ("migrations of django-tenants (bar: 12 x faster)", migrating, 12),
            ("clone of django-tenants (bar: 5 x faster)", cloning, 5),
        )
    ]  # fmt: skip


def _idle(ours: Contestant, peer: Contestant) -> Row:
    count = peer("count")
    scale = HOTELS / count
    a, b = _rounds(lambda _n: ours("migrate"), lambda _n: peer("migrate", "standard") * scale, rounds=3)
    what = (
        f"migrate over {HOTELS} hotels with nothing to do, s; peer: migrate_schemas over {count:.0f} tenants, "
        f"multiplied by {scale:.3g} (bar: 100 x faster)"
    )
    return row("migrate-idle", what, ours=statistics.median(a), peer=statistics.median(b),
               ratio=median_ratio(a, b), bar=1 / 100)  # fmt: skip


def _add_field(ours: Contestant, peer: Contestant) -> Row:
    count = peer("count")
    scale = HOTELS / count
    a, b = _rounds(
        lambda n: ours("migrate_one_field_more", n),
        lambda n: peer("migrate_one_field_more", n) * scale,
        rounds=3,
    )
    what = (
        f"migrate over {HOTELS} hotels with one AddField, s; "
        f"peer: migrate_schemas --executor=multiprocessing over {count:.0f} tenants, multiplied by {scale:.3g} "
        "(bar: 20 x faster)"
    )
    return row("migrate-addfield", what, ours=statistics.median(a), peer=statistics.median(b),
               ratio=median_ratio(a, b), bar=1 / 20)  # fmt: skip


def _rounds(
    ours: Callable[[int], float], peer: Callable[[int], float], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Measure hotelagent and its peer, django-tenants, alternately, so that other load on the machine affects both."""
    pairs = [(ours(number), peer(number)) for number in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
