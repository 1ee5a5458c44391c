"""Tests of the circuit breaker: it opens after failures, and one process sends the probe."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
from django.db import connection, connections

from audit.models import Event
from hotelagent.pms import policy
from hotelagent.pms.calls import breaker, breaker_queries
from hotelagent.pms.errors import BookingRefused, PmsCircuitOpen, PmsRateLimited, PmsUnavailable
from hotelagent.pms.models import CircuitBreaker
from tenants.context import hotel_context
from tenants.models import Hotel

PROCESSES = 16


def fail(operation: str = "book") -> None:
    with pytest.raises(PmsUnavailable), breaker.guard(operation):
        raise PmsUnavailable("down")


def succeed(operation: str = "book") -> None:
    with breaker.guard(operation):
        pass


def is_open(operation: str = "book") -> bool:
    try:
        succeed(operation)
    except PmsCircuitOpen:
        return True
    return False


def end_open_time() -> None:
    """Change the breakers so that their open time has just ended, because tests can't set the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pms_circuitbreaker SET open_until = clock_timestamp() WHERE open_until IS NOT NULL"
        )


@pytest.mark.django_db
def test_breaker_opens_at_the_fifth_failure_and_not_before(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES - 1):
        fail()
    assert not is_open()
    fail()
    assert is_open()
    assert not is_open("availability")
    assert Event.objects.filter(event="pms.circuit_opened").count() == 1


@pytest.mark.django_db
def test_failures_before_the_time_window_are_not_counted(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES - 1):
        fail()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pms_circuitbreaker SET failures = ARRAY(SELECT f - interval '31 seconds' FROM unnest(failures) f)"
        )
    fail()
    assert not is_open()


@pytest.mark.django_db
def test_refused_bookings_do_not_open_the_breaker(in_hotel: Hotel) -> None:
    for _refusal in range(policy.BREAKER_FAILURES):
        with pytest.raises(BookingRefused), breaker.guard("book"):
            raise BookingRefused
    assert not is_open()


@pytest.mark.django_db
def test_successful_probes_close_the_breaker(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES):
        fail()
    end_open_time()
    for _probe in range(policy.BREAKER_SUCCESSES):
        succeed()
    assert CircuitBreaker.objects.get().open_until is None
    fail()
    assert not is_open()


@pytest.mark.django_db
def test_failed_probe_opens_the_breaker_for_a_longer_time(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES):
        fail()
    first = breaker_queries.read_state("book").open_seconds
    end_open_time()
    fail()
    second = breaker_queries.read_state("book").open_seconds
    assert first <= policy.BREAKER_OPEN_SECONDS * 1.2
    assert second > policy.BREAKER_OPEN_SECONDS * 1.5
    assert is_open()


@pytest.mark.django_db
def test_exception_that_is_not_a_pms_error_releases_the_probe(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES):
        fail()
    end_open_time()
    with pytest.raises(ZeroDivisionError), breaker.guard("book"):
        raise ZeroDivisionError
    assert not is_open()


@pytest.mark.django_db
def test_probe_that_was_not_sent_does_not_close_the_breaker(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES):
        fail()
    end_open_time()
    for _probe in range(policy.BREAKER_SUCCESSES):
        with pytest.raises(PmsRateLimited), breaker.guard("book"):
            raise PmsRateLimited
    assert CircuitBreaker.objects.get().open_until is not None
    assert not is_open()  # the next process may send a probe immediately


@pytest.mark.django_db
def test_breaker_of_another_hotel_stays_closed(in_hotel: Hotel, other_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES):
        fail()
    with hotel_context(other_hotel):
        assert not is_open()


@pytest.mark.django_db
def test_reset_of_a_breaker_by_staff_closes_the_breaker(in_hotel: Hotel) -> None:
    for _failure in range(policy.BREAKER_FAILURES):
        fail()
    breaker.reset("book")
    assert not is_open()


@pytest.mark.django_db(transaction=True)
def test_half_open_breaker_lets_one_of_16_processes_send_a_probe(hotel: Hotel) -> None:
    with hotel_context(hotel):
        for _failure in range(policy.BREAKER_FAILURES):
            fail()
        end_open_time()
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    start, probed = fork.Barrier(PROCESSES), fork.Barrier(PROCESSES)
    shared, local = fork.Value("i", 0), fork.Value("i", 0)
    processes = [
        fork.Process(target=send_probe, args=(hotel, start, probed, shared, local))
        for _process in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    # A breaker in the memory of each process would send a probe from every process.
    assert (shared.value, local.value) == (1, PROCESSES)


def send_probe(hotel: Hotel, start: Any, probed: Any, shared: Any, local: Any) -> None:
    """Try to send a probe through the breaker in the database, and through a breaker in the memory of the process."""
    local_breaker_is_half_open = True  # each process has a separate copy of this variable
    with hotel_context(hotel):
        start.wait(30)
        try:
            with breaker.guard("book"):
                with shared.get_lock():
                    shared.value += 1
                probed.wait(30)
        except PmsCircuitOpen:
            probed.wait(30)
        if local_breaker_is_half_open:
            with local.get_lock():
                local.value += 1
    connections.close_all()
