"""The functions of the benchmark `dlq_pages`: they insert failures and request pages of the dead-letter queue."""

from dataclasses import dataclass
from functools import cache

from django.core.management import call_command
from django.db import connection
from django.test import Client

from dlq.groups import counts
from dlq.groups.models import FailureGroup
from tenants import services
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel, User
from tenants.scopes import Role

GROUPS = 20
PAGES = {
    "list": "/admin/dlq/failuregroup/",
    "group": "/admin/dlq/failuregroup/{group}/change/",
    "failures": "/admin/dlq/failure/?fingerprint={group}",
    "rest-list": "/api/v1/dlq/groups/",
    "rest-group": "/api/v1/dlq/groups/{group}/",
    "rest-failures": "/api/v1/dlq/entries/?fingerprint={group}",
}

# Every tenth failure of each group is open. The failures were created in the last ten days.
_FILL = """
INSERT INTO dlq_failuregroup (fingerprint, name, error_type, location, error_message, traceback, versions)
SELECT lpad(to_hex(number), 16, '0'), 'reminders.send', 'reminders.errors.MailRejected', 'smtp.py:send',
    '552 5.2.2 mailbox full ' || number, repeat('  File "smtp.py", line 1' || chr(10), 100), '{v1}'
FROM generate_series(1, %(groups)s) AS number;
INSERT INTO dlq_failure (
    id, is_task, source, name, work_key, ordering_key, payload, original_type, error_type, error_message, fingerprint,
    status, retries, attempt, occurrences, created_at, last_seen_at, expires_at, closed_at, discard_reason, task_id,
    request_id)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(number::text), 1, 3)
        || 'b' || substr(md5(number::text), 4, 15))::uuid,
    false, 'reminders', 'reminders.send', md5(number::text), '', jsonb_build_object('reminder', md5(number::text)), '',
    'reminders.errors.MailRejected', '552 5.2.2 mailbox full', lpad(to_hex(number % %(groups)s + 1), 16, '0'),
    CASE WHEN number / %(groups)s % 10 = 0 THEN 'permanent' ELSE 'resolved' END, 3, 3, 1, at, at,
    at + interval '7 days',
    CASE WHEN number / %(groups)s % 10 = 0 THEN NULL ELSE at + interval '1 hour' END, '', '', ''
FROM (
    SELECT number, now() - interval '10 days' * (1 - number::float8 / %(count)s) - interval '2 hours' AS at
    FROM generate_series(1, %(count)s) AS number) AS new;
"""


@dataclass(frozen=True, slots=True)
class Visitor:
    admin: Client
    headers: dict[str, str]
    host: str


def prepare(few: int, many: int) -> None:
    call_command("migrate", verbosity=0)
    for slug, count in (("few", few), ("many", many)):
        services.create_hotel(slug=slug, name=slug)
        with platform_context():
            hotel = Hotel.objects.get(slug=slug)
        with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(
                _FILL.replace("% 10", "%% 10").replace("% %(", "%% %("), {"groups": GROUPS, "count": count}
            )
        with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE dlq_failure, dlq_failuregroup")
        with hotel_context(hotel):
            counts.store_counts()
            if FailureGroup.objects.filter(open_count__gt=0).count() != GROUPS:
                raise RuntimeError("The list of groups must show all groups.")


@cache
def visitor(slug: str) -> Visitor:
    with platform_context():
        hotel = Hotel.objects.get(slug=slug)
    client = Client(SERVER_NAME=f"{slug}.localhost")
    with hotel_context(hotel):
        _key, text = api_keys.create(name="bench", scopes=["dlq:read"])
        client.force_login(User.objects.create_user(username="rosa", password=None, role=Role.MANAGER))
    return Visitor(client, {"Authorization": f"Bearer {text}"}, f"{slug}.localhost")


def visit(slug: str, page: str) -> None:
    """Request the page `page` of PAGES in the hotel `slug`.

    Raises RuntimeError if the response does not contain the error message of the failures.
    """
    who = visitor(slug)
    path = PAGES[page].format(group=f"{1:016x}")
    client, headers = (
        (Client(SERVER_NAME=who.host), who.headers) if page.startswith("rest") else (who.admin, {})
    )
    response = client.get(path, headers=headers)
    if response.status_code != 200 or b"mailbox full" not in response.content:
        raise RuntimeError(f"{path}: {response.status_code} {response.content[:300]!r}")
