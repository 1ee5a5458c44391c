"""What `manage.py serve` runs beside the servers."""

import shutil
import signal
import sys
from pathlib import Path

from hotelagent.embedded import ports
from hotelagent.embedded.supervisor import Program

WEB_PROCESSES = 2
WEB_THREADS = 4
WORKER_PROCESSES = 2


def programs(*, port: int, mail_port: int, smtp_port: int, mail_folder: Path, run: Path) -> list[Program]:
    python = (sys.executable, "-m")
    celery = (*python, "celery", "-A", "hotelagent.celery")
    mail = (str(mail_folder), "--smtp-port", str(smtp_port), "--web-port", str(mail_port))
    bind = ("--bind", f"{ports.LOOPBACK}:{port}", "--no-control-socket", "--worker-tmp-dir", str(run))
    crew = ("--worker-class", "gthread", "--workers", str(WEB_PROCESSES), "--threads", str(WEB_THREADS))
    quiet = ("--graceful-timeout", "5", "--log-level", "warning")
    alone = ("--concurrency", str(WORKER_PROCESSES), "--without-gossip", "--without-mingle")
    schedule = ("--pidfile=", "--schedule", str(run / "beat"))
    return [
        Program("mail", (*python, "hotelagent.embedded.mail", *mail), patience=3),
        Program("web", (*python, "gunicorn", "hotelagent.wsgi", *bind, *crew, *quiet)),
        Program(
            "worker",
            (*celery, "worker", *alone, "--loglevel", "INFO"),
            stop_signal=signal.SIGQUIT,  # soft: tasks get CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT to end
        ),
        Program("beat", (*celery, "beat", *schedule, "--loglevel", "WARNING")),
    ]


def environment(*, run: Path, environ: dict[str, str], port: int, smtp_port: int) -> dict[str, str]:
    metrics = run / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    return {
        **environ,
        "EMAIL_URL": f"smtp://{ports.LOOPBACK}:{smtp_port}",
        "PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
    }
