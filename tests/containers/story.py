"""The steps of a hotel in a running deployment, from its creation to a graceful stop of everything.

Each function returns what was seen, and raises ContainerError if a step fails.
"""

import datetime
import re
import time
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

from tests.containers import engine
from tests.containers.client import Client
from tests.containers.deployment import HOST, STOP_ORDER, Deployment
from tests.containers.engine import require

HOTEL_HOST = f"resort.{HOST}"
GUESTS = 20
#: The time zone of the hotel. The local day must not end while the program runs, because no reminder of an arrival is
#: sent after the day of arrival.
TIME_ZONE = ZoneInfo("Europe/Lisbon" if datetime.datetime.now(datetime.UTC).hour < 20 else "Asia/Tokyo")


def create_hotel(deployment: Deployment) -> tuple[Client, str]:
    manage = ("python", "manage.py")
    options = ("--name", "Resort", "--timezone", TIME_ZONE.key, "--manager-email", "rosa@example.com")
    deployment.execute("web", *manage, "create_hotel", "resort", *options)
    scopes = [
        option
        for scope in ("rooms:read", "rooms:write", "locks:read", "locks:write", "reservations:write")
        for option in ("--scope", scope)
    ]
    created = deployment.execute(
        "web", *manage, "create_api_key", "--hotel", "resort", "--name", "trial", *scopes
    )
    key = re.findall(r"^ha_\S+$", created, re.MULTILINE)
    require(len(key) == 1, created)
    client = Client(deployment, HOTEL_HOST, key[0])
    status, room = client.request("POST", "/api/v1/rooms/", {"number": "101", "room_type": "Standard"})
    require(status == 201, f"{status} {room}")
    status, _page = Client(deployment, f"nobody.{HOST}").request("GET", "/api/v1/rooms/")
    require(status == 404, f"An unknown host returned {status}.")
    status, url = client.redirect_of("/admin/")
    require((status, url) == (301, f"https://{HOTEL_HOST}/admin/"), f"http returned {status} {url}")
    return client, f"https://{HOTEL_HOST} is served; an unknown host returns 404, http redirects to https"


def hold(client: Client, check_in: str, check_out: str) -> tuple[int, object]:
    nights = {"check_in": check_in, "check_out": check_out}
    return client.request("POST", "/api/v1/locks/", {"room_type": "Standard", **nights})


def hold_room(client: Client) -> str:
    first, again = (hold(client, "2030-05-01", "2030-05-04")[0] for _ in range(2))
    require((first, again) == (201, 409), f"The holds returned {first} and {again}.")
    return "201 Created, and 409 Conflict for the same nights"


def book(client: Client, number: int) -> None:
    """Book a stay from today. For such a late booking, the rule "1 day before arrival" sends the mail immediately."""
    today = datetime.datetime.now(TIME_ZONE).date()
    dates = {"arrival": str(today), "departure": str(today + datetime.timedelta(2))}
    guest = {"guest_name": f"Guest {number}", "guest_email": f"guest{number}@example.com"}
    status, body = client.request("PUT", f"/api/v1/reservations/by-external-id/{number}/", {**guest, **dates})
    require(status == 201, f"{status} {body}")


def recipients(deployment: Deployment) -> list[str]:
    """Return the recipient of each e-mail that the mail server has received."""
    command = "cat /mail/new/* 2>/dev/null | grep '^To:' || true"
    return re.findall(r"guest\d+@example\.com", deployment.execute("mail", "sh", "-c", command))


def wait_for_mails(deployment: Deployment, count: int) -> list[str]:
    deadline = time.monotonic() + 120
    while len(received := recipients(deployment)) < count:
        require(
            time.monotonic() < deadline, f"{len(received)} of {count} e-mails\n{deployment.logs('worker')}"
        )
        time.sleep(1)
    return received


def send_reminder(deployment: Deployment, client: Client) -> str:
    book(client, 0)
    return f"received by the SMTP server for {wait_for_mails(deployment, 1)[0]}"


def stop_web_during_a_request(deployment: Deployment, client: Client) -> str:
    """Stop the web processes while a request waits for a lock. The request must still succeed."""
    lock = "BEGIN; LOCK TABLE hotel_resort.locks_room IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(5); COMMIT"
    with ThreadPoolExecutor(max_workers=2) as threads:
        locked = threads.submit(
            deployment.execute, "postgres", "psql", "-U", "owner", "-d", "hotelagent", "-c", lock
        )
        time.sleep(1)
        running = threads.submit(hold, client, "2030-06-01", "2030-06-04")
        time.sleep(1)
        require(not running.done(), "The request does not wait for the lock.")
        code, seconds = deployment.stop("web")
        locked.result()
        status, body = running.result()
    require(
        (code, status) == (0, 201),
        f"web ended with {code}, and the running request returned {status}: {body}",
    )
    return f"exit code 0 after {seconds:.1f} s; the request that ran at SIGTERM returned 201"


def stop_worker_while_it_sends(deployment: Deployment, client: Client) -> str:
    """Stop the worker while reminders are due. A new worker sends the rest, and each guest gets one e-mail."""
    with ThreadPoolExecutor(max_workers=4) as threads:
        list(threads.map(lambda number: book(client, number), range(1, GUESTS + 1)))
    wait_for_mails(deployment, 2)
    code, seconds = deployment.stop("worker")
    before = len(recipients(deployment))
    require(code == 0, f"The worker ended with {code}:\n{deployment.logs('worker')}")
    deployment.start("worker")
    received = wait_for_mails(deployment, GUESTS + 1)
    time.sleep(5)
    received = recipients(deployment)
    require(len(received) == len(set(received)) == GUESTS + 1, f"E-mails: {sorted(received)}")
    return (
        f"exit code 0 after {seconds:.1f} s with {before} of {GUESTS + 1} e-mails sent; "
        "with the next worker all were sent, none twice"
    )


def stop_all(deployment: Deployment) -> str:
    ended = []
    for service in STOP_ORDER:
        if engine.inspect("container", deployment.container(service))["State"]["Running"]:
            code, seconds = deployment.stop(service)
            require(code == 0, f"{service} ended with {code}:\n{deployment.logs(service)}")
            ended.append(f"{service} {seconds:.1f} s")
    return f"exit code 0 of all: {', '.join(ended)}"
