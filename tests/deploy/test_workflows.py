"""Tests of the workflows of GitHub Actions: a linter accepts them, and actions are pinned by the digest of a commit."""

import re
from pathlib import Path

import pytest

from hotelagent.embedded import paths
from tests.deploy import tools

WORKFLOWS = sorted((paths.CHECKOUT / ".github" / "workflows").glob("*.yml"))
#: Local workflows, or an action with the digest of a commit and the version as a comment.
PINNED = re.compile(r"\./\.github/workflows/[\w.]+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
#: The rule that images must be pinned. The workflows use the newest images of Python, as deployments do.
IGNORED_RULE = "unpinned-images"


def lint(*files: Path) -> str:
    """Return the linter's report about the files. The report names the rule of each finding."""
    tools.require_installed()
    done = tools.run("jactionlint", "--shellcheck=", "--oneline", "--ignore", IGNORED_RULE, *files)
    return done.stdout + done.stderr


def test_workflows_are_accepted_by_the_linter() -> None:
    assert len(WORKFLOWS) >= 4
    assert lint(*WORKFLOWS) == ""


@pytest.mark.parametrize(
    ("correct", "wrong", "rule"),
    [
        ("needs: [test, scan]", "needs: [test, scam]", "undefined-job-needs"),
        ("needs.image.outputs.image", "needs.image.outputs.images", "undefined-property"),
        ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "@v5", "unpinned-uses"),
    ],
)
def test_workflow_with_a_mistake_is_reported(correct: str, wrong: str, rule: str, tmp_path: Path) -> None:
    text = (paths.CHECKOUT / ".github" / "workflows" / "delivery.yml").read_text()
    assert correct in text
    workflow = tmp_path / "delivery.yml"
    workflow.write_text(text.replace(correct, wrong))
    assert f"[{rule}]" in lint(workflow)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_the_digest_of_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []
