"""The faults that the tests cause, one after the other, in a running deployment."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.faults.site import PARTS, PGBOUNCER, POSTGRES, VALKEY, WEB, WORKER, Site

Step = Callable[[Site], object]


def nothing(_site: Site) -> None:
    """End a fault that needs no end, because the part starts its processes again without help."""


@dataclass(frozen=True)
class Fault:
    """A fault: its name in the table of results, how it begins and ends, and when it is possible."""

    name: str
    begin: Step
    end: Step
    is_possible: Callable[[Site], bool] = lambda _site: True
    #: Why the fault is not possible on some machines.
    reason: str = ""


def killed(part: str) -> Fault:
    return Fault(f"{part} is killed", partial(Site.kill, part=part), partial(Site.start_again, part=part))


def child_killed(part: str) -> Fault:
    return Fault(f"one process of {part} is killed", partial(Site.kill_child, part=part), nothing)


def paused(part: str) -> Fault:
    return Fault(f"{part} hangs", partial(Site.pause, part=part), partial(Site.resume, part=part))


def slowed(part: str) -> Fault:
    return Fault(f"{part} is ten times slower", partial(Site.slow, part=part), Site.stop_slowing)


FAULTS = [
    *map(child_killed, (WEB, WORKER, POSTGRES)),
    *map(killed, PARTS),
    *map(paused, PARTS),
    *map(slowed, PARTS),
    Fault("PostgreSQL has no free connection", Site.use_all_connections, Site.close_connections),
    Fault(
        "the disk of PostgreSQL is full", Site.fill_disk, Site.empty_disk,
        lambda site: site.has_small_disk, "only root can mount a small disk",
    ),
]  # fmt: skip

#: The faults of `make test`.
SHORT = [child_killed(WEB), killed(PGBOUNCER), paused(VALKEY)]
