"""What `manage.py serve` runs beside the servers."""

import os
import shutil
import sys
from pathlib import Path

from hotelagent.embedded import paths, ports
from hotelagent.embedded.supervisor import Program

WEB_PROCESSES = 2
WORKER_PROCESSES = 2


# Ticks every few seconds would push what somebody did out of sight; LOG_LEVEL=INFO shows them.
QUIET = "WARNING"
# On one's own machine root is who started it, for the web as for the worker.
AS_ROOT = "ignore:You're running the worker with superuser privileges"


def programs(*, port: int, mail_port: int, smtp_port: int, mail_folder: Path, run: Path) -> list[Program]:
    python = (sys.executable, "-m")
    celery = (*python, "celery", "--quiet", "-A", "hotelagent.celery")
    mail = (str(mail_folder), "--smtp-port", str(smtp_port), "--web-port", str(mail_port))
    bind = ("--bind", f"{ports.LOOPBACK}:{port}", "--workers", str(WEB_PROCESSES))
    # What a deployment's gunicorn does, but for what a folder, a person who waits and a terminal want.
    web = ("--config", str(paths.CHECKOUT / "deploy" / "gunicorn.conf.py"), "--worker-tmp-dir", str(run))
    brisk = ("--preload", "--graceful-timeout", "5", "--log-level", "warning")
    alone = ("--concurrency", str(WORKER_PROCESSES), "--without-gossip", "--without-mingle")
    schedule = ("--pidfile=", "--schedule", str(run / "beat"))
    loud = {
        **os.environ,
        "EMAIL_URL": f"smtp://{ports.LOOPBACK}:{smtp_port}",
        "PROMETHEUS_MULTIPROC_DIR": str(empty_folder(run / "metrics")),
        "PYTHONUNBUFFERED": "1",
    }
    calm = {"LOG_LEVEL": QUIET, **loud, "PYTHONWARNINGS": AS_ROOT}
    level = ("--loglevel", calm["LOG_LEVEL"])
    return [
        Program("mail", (*python, "hotelagent.embedded.mail", *mail), loud, patience=3),
        Program("web", (*python, "gunicorn", "hotelagent.wsgi", *web, *bind, *brisk), loud),
        # Celery's warm stop: tasks that run get the supervisor's patience to end, and come again where they don't.
        Program("worker", (*celery, "worker", *alone, *level), calm),
        Program("beat", (*celery, "beat", *schedule, *level), calm),
    ]


def empty_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path
