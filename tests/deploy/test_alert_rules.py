"""Test of the alert rules and of the service level objectives with promtool, the command-line tool of Prometheus."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from tests import servers

FOLDER = Path(settings.BASE_DIR) / "deploy" / "prometheus"


@pytest.mark.timeout(300)  # promtool calculates 30 days of the time series in steps of a minute
def test_alert_rules_are_valid_and_pass_their_own_tests() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        servers.skip_or_fail_in_ci("promtool (in Debian's package prometheus)")
    for arguments in (
        ["check", "rules", "alerts.yml", "slo.yml", "usage.yml"],
        ["test", "rules", "alerts_test.yml", "slo_test.yml", "usage_test.yml"],
    ):
        done = subprocess.run(
            [str(promtool), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
