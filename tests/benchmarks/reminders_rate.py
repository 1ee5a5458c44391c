"""How many reminders a second two worker processes send: due, claimed, rendered, sent, marked and told.

All three send the same mails to the same server. django-post-office and bare smtplib know nothing of hotels.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_email

from tests.benchmarks.contestants import Contestant, both
from tests.benchmarks.harness import Row, median_ratio, row
from tests.benchmarks.sink import Sink, sink
from tests.servers import Servers

IDS = ("send-rate",)

MAILS = 2_000  # of the peers, in a turn
#: Hotels, and how many mails are due in each. The real ones (`tests.reminders.test_whole_file`) have 60 and 106 on an
#: average day, all at one moment; with 4, what counts is that a database connection meets each hotel.
SHAPES = ((1, 2_000), (500, 4), (500, 20))
ROUNDS = 3


def measure(ids: list[str]) -> list[Row]:
    running = Servers(durable=True)  # a mark that a crash forgets is a mail that goes twice
    with ExitStack() as stack:
        stack.callback(running.stop)
        running.start()
        server = stack.enter_context(sink(keep=MAILS))
        # DEBUG=0, as post-office's settings have it and as a deployment has: else Django keeps each statement.
        mail = {"EMAIL_URL": f"smtp://127.0.0.1:{server.port}", "LOG_LEVEL": "ERROR", "DEBUG": "0"}
        ours, peer = stack.enter_context(
            both(running, ours="side_reminders", peer="side_post_office",
                 peer_settings="tests.benchmarks.peer.post_office", environment=mail)
        )  # fmt: skip
        bare = [Contestant("side_reminders", our_environment(running, mail)) for _ in range(2)]
        for contestant in bare:
            stack.callback(contestant.end)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        half = max(hotels for hotels, _each in SHAPES) // 2
        list(pool.map(lambda at: bare[at]("make_hotels", at * half, (at + 1) * half), (0, 1)))
        ours("start_workers")
        stack.callback(ours, "stop_workers")

        _ours(ours, server, hotels=1, each=MAILS)
        mails = [message_from_bytes(raw, policy=modern_email) for raw in server.kept()]
        rendered = server.kept()
        _teach(peer, mails[0])
        by_turn: dict[str, list[float]] = defaultdict(list)
        for _ in range(ROUNDS):
            by_turn["post office"].append(_post_office(peer, server, mails))
            for hotels, each in SHAPES:
                by_turn[f"{hotels} x {each}"].append(_ours(ours, server, hotels=hotels, each=each))
            for how in ("messages", "bytes"):
                by_turn[how].append(_bare(bare, pool, server, rendered, as_messages=how == "messages"))
    already = statistics.median(by_turn["bytes"])
    return [
        row("send-rate", f"mails a second, {hotels} hotel(s) of {each} each, 2 processes of 5 threads, "
            f"PIPELINING offered (ours alone takes it); "
            f"peer: {name} (ratio: peer's rate over ours; bar: {times} x its rate)",
            ours=statistics.median(by_turn[f"{hotels} x {each}"]), peer=statistics.median(by_turn[who]),
            ratio=median_ratio(by_turn[who], by_turn[f"{hotels} x {each}"]), bar=1 / times)
        for who, name, times in (
            ("post office", "django-post-office", 3),
            ("messages", f"bare smtplib, send_message ({already:,.0f} with bytes)", 0.5),
        )
        for hotels, each in SHAPES
    ]  # fmt: skip


def our_environment(running: Servers, more: dict[str, str]) -> dict[str, str]:
    return {**running.environment("bench_ours", 9), **more}


def _ours(ours: Contestant, server: Sink, *, hotels: int, each: int) -> float:
    mails = hotels * each
    ours("make_due", hotels, each)
    before, began = server.mails, time.perf_counter()
    ours("hand_out")
    while server.mails < before + mails:
        _patience(began, server.mails - before, of=mails)
    while ours("left"):
        _patience(began, server.mails - before, of=mails)
    return mails / (time.perf_counter() - began)


def _post_office(peer: Contestant, server: Sink, mails: list[EmailMessage]) -> float:
    peer("queue", [_wanted(mail) for mail in mails])
    before, seconds = server.mails, peer("send")
    if peer("left") or server.mails != before + MAILS:
        raise RuntimeError(f"django-post-office has sent {server.mails - before} of {MAILS}.")
    return MAILS / seconds


def _bare(
    bare: list[Contestant],
    pool: ThreadPoolExecutor,
    server: Sink,
    rendered: list[bytes],
    *,
    as_messages: bool,
) -> float:
    before = server.mails
    seconds = max(pool.map(lambda at: bare[at]("send_bare", rendered[at::2], as_messages), (0, 1)))
    if server.mails != before + MAILS:
        raise RuntimeError(f"smtplib has sent {server.mails - before} of {MAILS}.")
    return MAILS / seconds


def _patience(began: float, there: int, *, of: int) -> None:
    time.sleep(0.005)
    if time.perf_counter() - began > 120:
        raise RuntimeError(f"{there} of {of} mails went in two minutes.")


# The same mails from django-post-office: its template is one of ours with the guest taken out.


def _guest(mail: EmailMessage) -> dict[str, str]:
    number = str(mail["To"]).removeprefix("guest").partition("@")[0]
    link = str(mail["List-Unsubscribe"] or "").partition("<")[2].partition(">")[0]
    return {"guest_name": f"Ana Lima {number}", "number": f"R{number}", "unsubscribe": link}


def _wanted(mail: EmailMessage) -> tuple[str, dict[str, str], dict[str, str]]:
    own = {"Message-ID", "Content-Language", "Auto-Submitted", "X-Auto-Response-Suppress", "Reply-To",
           "List-Unsubscribe", "List-Unsubscribe-Post"}  # fmt: skip
    return str(mail["To"]), {name: str(mail[name]) for name in own if mail[name]}, _guest(mail)


def _teach(peer: Contestant, mail: EmailMessage) -> None:
    def template(text: str) -> str:
        for name, value in _guest(mail).items():
            if value:
                text = text.replace(value, f"{{{{ {name} }}}}")
        return text

    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    peer("make_template", template(str(mail["Subject"])), template(parts["text/plain"]),
         template(parts["text/html"]), parts["text/calendar"])  # fmt: skip
