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
    """Store the group of an error of this failure unless the group exists. Return the fingerprint of the group.

    The function updates the time and the code versions at which the group was last seen, as a capture does.
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
