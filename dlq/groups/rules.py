"""The rules that assign an error to a group.

An error belongs to the group with its fingerprint, unless a rule says otherwise. The rules are stored in the rows of
the groups, and the database function `dlq_find_group` applies them, also while a failure is captured.
"""

import json

from django.conf import settings
from django.db import connection

from audit.services import actor_as_json
from dlq.error_reports import ErrorReport
from dlq.models import Failure


def store_group(report: ErrorReport, failure: Failure) -> str:
    """Find the group that this error of the failure belongs to, or create the group. Return the group's fingerprint.

    The function also records in the group that the error occurred now, in this code version.
    """
    request = {
        "source": failure.source,
        "name": failure.name,
        "payload": failure.payload,
        "error": report.as_json(name=failure.name),
        "attempt": {"code_version": settings.CODE_VERSION},
        "actor": actor_as_json(),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT dlq_store_group(%s)", [json.dumps(request)])
        [fingerprint] = cursor.fetchone()
    return str(fingerprint)
