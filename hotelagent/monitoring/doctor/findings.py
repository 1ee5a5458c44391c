"""The results of the examination of a deployment."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    #: The deployment works, but a problem is likely to occur, or a check could not be run.
    WARNING = "warning"
    #: Part of the deployment does not work.
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the examination found out about one part of the deployment, such as the mail server.

    `remedy` says what to do, and is empty if the state is OK. The texts contain no passwords or keys.
    """

    part: str
    state: State
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


def ok(part: str, detail: str) -> Finding:
    return Finding(part, State.OK, detail)


def warning(part: str, detail: str, remedy: str) -> Finding:
    return Finding(part, State.WARNING, detail, remedy)


def problem(part: str, detail: str, remedy: str) -> Finding:
    return Finding(part, State.PROBLEM, detail, remedy)
