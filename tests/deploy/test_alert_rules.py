"""Test of the alert rules and of the service level objectives with promtool, the command-line tool of Prometheus."""

import shutil
import subprocess

import pytest

from tests import servers
from tests.deploy.promql import DEPLOY, RULES

FOLDER = DEPLOY / "prometheus"


@pytest.mark.timeout(300)  # promtool needs 10 s of CPU time while other tests run
def test_alert_rules_are_valid_and_pass_their_own_tests() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        servers.skip_or_fail_in_ci("promtool (in Debian's package prometheus)")
    tests = sorted(path.name for path in FOLDER.glob("*_test.yml"))
    for arguments in (["check", "rules", *(path.name for path in RULES)], ["test", "rules", *tests]):
        done = subprocess.run(
            [str(promtool), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
