"""Tests of errors in the TLS connection to a PMS: nothing was sent, so nothing was booked."""

from __future__ import annotations

import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hotelagent.pms import connections
from hotelagent.pms.bookings import services
from hotelagent.pms.errors import PmsUnavailable
from hotelagent.pms.models import Booking, BookingStatus, CircuitBreaker
from hotelagent.pms.search import search_availability
from hotelagent.pms.values import StaySearch
from locks.models import Allocation, AllocationStatus
from tests.certificates import Certificate
from tests.pms.conftest import GUEST, connect_to
from tests.pms.fake_qloapps import Server
from tests.web import serving, use_tls

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rooms", "_fast_retries")]
Search = Callable[..., StaySearch]
HOST = "pms.example"


@contextmanager
def tls_server(certificate: Certificate) -> Iterator[Server]:
    """Run a QloApps server behind TLS in this process."""
    server = Server()
    use_tls(server, certificate)
    with serving(server):
        yield server


def assert_not_sent(search: StaySearch, *, reason: str) -> None:
    """Assert that a booking and a search fail, that the room is free again, and that the booking is refused."""
    with pytest.raises(PmsUnavailable, match=reason) as failed:
        services.book(search=search, guest=GUEST, price=None)
    assert failed.value.is_definite
    assert Booking.objects.get().status == BookingStatus.REFUSED
    assert Allocation.objects.get().status == AllocationStatus.RELEASED
    with pytest.raises(PmsUnavailable, match=reason):
        search_availability(search)
    assert CircuitBreaker.objects.filter(operation__in=["book", "availability"]).count() == 2


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("expired", "certificate has expired"),
        ("self_signed", "self-signed certificate"),
        ("unknown_authority", "unable to get local issuer certificate"),
        ("wrong_name", "Hostname mismatch"),
    ],
)
def test_booking_with_a_certificate_that_is_not_valid_is_not_sent(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flaw: str, reason: str
) -> None:
    certificate = Certificate.make(
        tmp_path, name=HOST, expired=flaw == "expired", self_signed=flaw == "self_signed"
    )
    if flaw != "unknown_authority":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    host = "localhost" if flaw == "wrong_name" else "127.0.0.1"
    with tls_server(certificate) as server:
        connect_to(f"https://{host}:{server.server_port}")
        assert_not_sent(search(), reason=reason)
        assert (server.state.requests, server.state.bookings) == (0, {})


def test_booking_whose_connection_is_cut_in_the_handshake_is_not_sent(search: Search) -> None:
    class Cut(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)  # reads the first byte of the TLS handshake

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cut)) as server:
        connect_to(f"https://127.0.0.1:{server.server_address[1]}")
        assert_not_sent(search(), reason="The request to 127.0.0.1 failed")


def test_booking_over_tls_can_be_repeated_after_the_certificate_is_trusted(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = Certificate.make(tmp_path, name=HOST)
    with tls_server(certificate) as server:
        connect_to(f"https://127.0.0.1:{server.server_port}")
        with pytest.raises(PmsUnavailable):
            services.book(search=search(), guest=GUEST, price=None)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
        booking, _is_new = services.book(search=search(), guest=GUEST, price=None)
        assert (booking.status, len(server.state.bookings)) == (BookingStatus.BOOKED, 1)


def test_connection_that_is_cut_after_the_handshake_leaves_the_booking_unknown(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For comparison, the request of this test was sent, so the booking must not be stored as refused."""
    certificate = Certificate.make(tmp_path, name=HOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with tls_server(certificate) as server:
        server.state.booking_faults = ["cut"]
        connect_to(f"https://127.0.0.1:{server.server_port}")
        booking, _is_new = services.book(search=search(), guest=GUEST, price=None)
        assert (booking.status, len(server.state.bookings)) == (BookingStatus.UNKNOWN, 1)


def test_connection_test_names_the_flaw_of_the_certificate(search: Search, tmp_path: Path) -> None:
    with tls_server(Certificate.make(tmp_path, name=HOST)) as server:
        connect_to(f"https://127.0.0.1:{server.server_port}")
        [result] = connections.test_connection()
        assert not result.passed
        assert "The TLS certificate of 127.0.0.1 is not valid" in result.detail
