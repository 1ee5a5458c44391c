"""The programs that `manage.py serve` runs in addition to PostgreSQL and Valkey: web, worker, beat and mail server."""

import os
import shutil
import sys
from pathlib import Path

from hotelagent.embedded import paths, ports
from hotelagent.embedded.supervisor import Program

WEB_PROCESSES = 2
WORKER_PROCESSES = 2

#: Default log level of worker and beat. At INFO, they log several lines every few seconds, which hide other messages.
QUIET_LEVEL = "WARNING"
#: Celery warns if the worker runs as root. The warning is hidden, because developers may work as root.
IGNORED_WARNING = "ignore:You're running the worker with superuser privileges"


def programs(*, port: int, mail_port: int, smtp_port: int, mail_folder: Path, run: Path) -> list[Program]:
    """Return the programs of `manage.py serve` in their start order. `run` is the folder for their temporary files."""
    python = (sys.executable, "-m")
    celery = (*python, "celery", "--quiet", "-A", "hotelagent.celery")
    mail = (str(mail_folder), "--smtp-port", str(smtp_port), "--web-port", str(mail_port))
    # gunicorn uses the configuration file of production. The options on the command line replace some of its settings.
    gunicorn = (
        *("--config", str(paths.CHECKOUT / "deploy" / "gunicorn.conf.py"), "--worker-tmp-dir", str(run)),
        *("--bind", f"{ports.LOOPBACK}:{port}", "--workers", str(WEB_PROCESSES)),
        *("--preload", "--graceful-timeout", "5", "--log-level", "warning"),
    )
    worker = ("--concurrency", str(WORKER_PROCESSES), "--without-gossip", "--without-mingle")
    beat = ("--pidfile=", "--schedule", str(run / "beat"))
    environment = {
        **os.environ,
        "EMAIL_URL": f"smtp://{ports.LOOPBACK}:{smtp_port}",
        "PROMETHEUS_MULTIPROC_DIR": str(empty_folder(run / "metrics")),
        "PYTHONUNBUFFERED": "1",
    }
    celery_environment = {"LOG_LEVEL": QUIET_LEVEL, **environment, "PYTHONWARNINGS": IGNORED_WARNING}
    level = ("--loglevel", celery_environment["LOG_LEVEL"])
    return [
        Program(
            "mail", (*python, "hotelagent.embedded.mail.smtp_server", *mail), environment, stop_timeout=3
        ),
        Program("web", (*python, "gunicorn", "hotelagent.wsgi", *gunicorn), environment),
        # SIGTERM starts Celery's warm shutdown: running tasks may finish. Tasks that do not finish run again later.
        Program("worker", (*celery, "worker", *worker, *level), celery_environment),
        Program("beat", (*celery, "beat", *beat, *level), celery_environment),
    ]


def empty_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path
