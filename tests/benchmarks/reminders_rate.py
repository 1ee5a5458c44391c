"""Benchmark of sending reminders: claim, render and transmit each message, store its status and an audit event.

Two worker processes with five threads each send the messages to an SMTP server on the same machine. For comparison,
django-post-office sends the same messages, but without tenants.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from contextlib import ExitStack
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_email

from tests.benchmarks.contestants import Contestant, both, create_database
from tests.benchmarks.harness import Row, median_ratio, row
from tests.benchmarks.sink import Sink, sink
from tests.servers import Servers

IDS = ("send-rate", "send-pipelining")

#: The number of messages that django-post-office sends in one round. hotelagent sends as many for a single hotel.
MESSAGES = 2_000
#: Each tuple contains the number of hotels, the number of due reminders per hotel, and the required ratio of the rates.
#: The ratio is the rate of hotelagent divided by the rate of django-post-office.
#: Two real hotels have 60 and 106 reminders on an average day, and all reminders of a day are due at the same time.
#: With four reminders per hotel, most of the time is spent on switching between hotels.
SHAPES = ((1, MESSAGES, 2.0), (500, 20, 2.0), (500, 4, 1.2))
ROUNDS = 5

#: The constants of the benchmark `send-pipelining`. ROUND_TRIP is in seconds.
#: PIPELINING_GAIN is the minimum of the rate with pipelining divided by the rate without pipelining.
ROUND_TRIP = 0.001
PIPELINING_MESSAGES = 1_000
PIPELINING_ROUNDS = 7
PIPELINING_GAIN = 1.1

TIMEOUT = 120  # seconds


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rows: list[Row] = []
    if "send-rate" in ids:
        rows += _measure_rate()
    if "send-pipelining" in ids:
        rows.append(_measure_pipelining())
    return rows


def _measure_rate() -> list[Row]:
    with ExitStack() as stack:
        running = _durable_servers(stack)
        server = stack.enter_context(sink(keep=MESSAGES))
        ours, peer = stack.enter_context(
            both(running, ours="side_reminders", peer="side_post_office",
                 peer_settings="tests.benchmarks.peer.post_office", environment=_environment(server))
        )  # fmt: skip
        ours("create_hotels", max(hotels for hotels, _each, _bar in SHAPES))
        ours("start_workers")
        stack.callback(ours, "stop_workers")

        _send_reminders(ours, server, hotels=1, each=MESSAGES)
        messages = [message_from_bytes(raw, policy=modern_email) for raw in server.kept()]
        _create_peer_template(peer, messages[0])
        peer_rates: list[float] = []
        our_rates: dict[tuple[int, int], list[float]] = defaultdict(list)
        for _ in range(ROUNDS):
            peer_rates.append(_send_with_peer(peer, server, messages))
            for hotels, each, _bar in SHAPES:
                rate = _send_reminders(ours, server, hotels=hotels, each=each)
                our_rates[hotels, each].append(rate)
    return [
        row("send-rate", f"reminders per second, {hotels} hotel(s) with {each} each, 2 processes of 5 threads; "
            f"peer: django-post-office (ratio: peer / ours; bar: {minimum} x the peer's rate)",
            ours=statistics.median(our_rates[hotels, each]), peer=statistics.median(peer_rates),
            ratio=median_ratio(peer_rates, our_rates[hotels, each]), bar=1 / minimum)
        for hotels, each, minimum in SHAPES
    ]  # fmt: skip


def _measure_pipelining() -> Row:
    """Measure how many reminders per second are sent with and without SMTP pipelining (RFC 2920).

    The SMTP servers of the benchmark wait 1 ms before each reply.
    """
    with ExitStack() as stack:
        running = _durable_servers(stack)
        # The processes with and without pipelining share one database, but have separate brokers. So the workers of
        # each process get only the tasks of this process.
        contestants = []
        for redis_number, pipelining in ((9, True), (8, False)):
            server = stack.enter_context(sink(delay=ROUND_TRIP, pipelining=pipelining))
            contestant = Contestant(
                "side_reminders",
                {**running.environment("bench_ours", redis_number), **_environment(server)},
            )
            stack.callback(contestant.end)
            contestants.append((contestant, server))
        create_database(running, "bench_ours")
        (first, _server), _second = contestants
        first("prepare")
        first("create_hotels", 1)
        for contestant, server in contestants:
            contestant("start_workers")
            stack.callback(contestant, "stop_workers")
            _send_reminders(contestant, server, hotels=1, each=PIPELINING_MESSAGES)
        rates: list[list[float]] = [[], []]
        for number in range(PIPELINING_ROUNDS):
            for index in (0, 1) if number % 2 else (1, 0):
                contestant, server = contestants[index]
                rate = _send_reminders(contestant, server, hotels=1, each=PIPELINING_MESSAGES)
                rates[index].append(rate)
    with_pipelining, without = rates
    return row(
        "send-pipelining", "reminders per second at 1 ms per round trip, with SMTP pipelining; peer: without "
        f"(ratio: peer / ours; bar: {PIPELINING_GAIN} x the rate without)",
        ours=statistics.median(with_pipelining), peer=statistics.median(without),
        ratio=median_ratio(without, with_pipelining), bar=1 / PIPELINING_GAIN,
    )  # fmt: skip


def _durable_servers(stack: ExitStack) -> Servers:
    """Start a database server that writes each commit to the disk, as in production.

    In production, a crash must not delete the record that a message was sent.
    """
    running = Servers(durable=True)
    stack.callback(running.stop)
    running.start()
    return running


def _environment(server: Sink) -> dict[str, str]:
    # DEBUG is off, because Django would otherwise record every SQL statement. Production and the peer have DEBUG off.
    return {"EMAIL_URL": f"smtp://127.0.0.1:{server.port}", "LOG_LEVEL": "ERROR", "DEBUG": "0"}


def _send_reminders(ours: Contestant, server: Sink, *, hotels: int, each: int) -> float:
    """Create due reminders, let the workers send them, and return the number of reminders sent per second."""
    total = hotels * each
    ours("make_due", hotels, each)
    before, started = server.accepted, time.perf_counter()
    ours("dispatch_due")
    while server.accepted < before + total:
        _wait(started, server.accepted - before, total=total)
    while ours("count_due"):
        _wait(started, server.accepted - before, total=total)
    return total / (time.perf_counter() - started)


def _wait(started: float, accepted: int, *, total: int) -> None:
    time.sleep(0.005)
    if time.perf_counter() - started > TIMEOUT:
        raise RuntimeError(f"{accepted} of {total} messages were sent in {TIMEOUT} seconds.")


def _send_with_peer(peer: Contestant, server: Sink, messages: list[EmailMessage]) -> float:
    """Send the messages with django-post-office, and return the number of messages sent per second."""
    peer("queue", [_queued(message) for message in messages])
    before, seconds = server.accepted, peer("send")
    if peer("count_unsent") or server.accepted != before + MESSAGES:
        raise RuntimeError(f"django-post-office sent {server.accepted - before} of {MESSAGES} messages.")
    return MESSAGES / seconds


# The peer's template is one of our messages with variables in place of the guest's data.


def _guest_of(message: EmailMessage) -> dict[str, str]:
    number = str(message["To"]).removeprefix("guest").partition("@")[0]
    link = str(message["List-Unsubscribe"] or "").partition("<")[2].partition(">")[0]
    return {"guest_name": f"Ana Lima {number}", "number": f"R{number}", "unsubscribe": link}


def _queued(message: EmailMessage) -> tuple[str, dict[str, str], dict[str, str]]:
    names = {"Message-ID", "Content-Language", "Auto-Submitted", "X-Auto-Response-Suppress", "Reply-To",
             "List-Unsubscribe", "List-Unsubscribe-Post"}  # fmt: skip
    headers = {name: str(message[name]) for name in names if message[name]}
    return str(message["To"]), headers, _guest_of(message)


def _create_peer_template(peer: Contestant, message: EmailMessage) -> None:
    def with_variables(text: str) -> str:
        for name, value in _guest_of(message).items():
            if value:
                text = text.replace(value, f"{{{{ {name} }}}}")
        return text

    parts = {
        part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()
    }
    peer("create_template", with_variables(str(message["Subject"])), with_variables(parts["text/plain"]),
         with_variables(parts["text/html"]), parts["text/calendar"])  # fmt: skip
