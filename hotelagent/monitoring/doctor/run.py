"""The function that examines all parts of a deployment."""

from collections.abc import Callable, Collection, Iterator

from hotelagent.monitoring.doctor import backups, database, machine, mail, processes, traces
from hotelagent.monitoring.doctor.findings import Finding, problem

#: The parts of the deployment, in the order in which they are examined. A part is listed after the parts that it needs,
#: such as Celery beat after the database.
EXAMINATIONS: dict[str, Callable[[], Iterator[Finding]]] = {
    "settings": machine.examine_settings,
    "database": database.examine_database,
    "migrations": database.examine_migrations,
    "redis": processes.examine_redis,
    "workers": processes.examine_workers,
    "beat": processes.examine_beat,
    "due-queue": processes.examine_due_queue,
    "mail-server": mail.examine_mail_server,
    "sender-domain": mail.examine_sender_domain,
    "traces": traces.examine_traces,
    "backups": backups.examine_backups,
    "disk": machine.examine_disks,
    "clocks": database.examine_clocks,
}


def examine(parts: Collection[str] = ()) -> Iterator[Finding]:
    """Examine these parts of the deployment, or all parts if `parts` is empty, and yield the findings.

    Nothing is changed, except that a key with a lifetime of a minute is written to Redis. An unexpected error is
    reported as a problem of its part.
    """
    for name, function in EXAMINATIONS.items():
        if parts and name not in parts:
            continue
        try:
            yield from function()
        except Exception as error:  # noqa: BLE001 - the other parts are examined nevertheless
            yield problem(
                name,
                f"The examination failed: {type(error).__name__}: {error}",
                "Report this error to the developers.",
            )
