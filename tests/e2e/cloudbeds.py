"""An export file of Cloudbeds with generated bookings around today. The test of a day at a hotel imports the file."""

import csv
import dataclasses
import io
from datetime import date, timedelta

from hotelagent.demo.export import export_rows
from hotelagent.demo.generator import generate_bookings
from hotelagent.demo.guests import DOMAIN, REFUSED_DOMAIN
from hotelagent.demo.profiles import RESORT

#: For each arrival date from this number of days after today, the mail server refuses the address of one guest.
FIRST_REFUSED = 9
#: The booking pattern of a hotel with about 30 rooms.
PROFILE = dataclasses.replace(RESORT, bookings_per_arrival_date=9)
STATUSES = {"No-Show": "No Show", "Check-Out": "Checked Out"}
COUNTRIES = {
    "PRT": "Portugal", "GBR": "United Kingdom", "ESP": "Spain", "DEU": "Germany", "IRL": "Ireland", "FRA": "France",
    "NLD": "Netherlands", "SWE": "Sweden", "BEL": "Belgium", "POL": "Poland", "USA": "United States",
}  # fmt: skip


def export(today: date) -> list[dict[str, str]]:
    """Return the rows of the export. The arrivals are from a week ago to two weeks from now."""
    bookings = generate_bookings(
        PROFILE, first_arrival=today - timedelta(days=7), last_arrival=today + timedelta(days=14)
    )
    return [
        {
            "Name": row["guest_name"],
            "Email": _address(row, last_good=today + timedelta(days=FIRST_REFUSED - 1)),
            "Reservation Number": row["booking_id"],
            "Third Party Confirmation Number": "",
            "Adults": row["adults"],
            "Children": row["children"],
            "Check in Date": row["check_in"],
            "Check out Date": row["check_out"],
            "Room Type": row["assigned_room_type"],
            "Reservation Date": row["booked_on"],
            "Source": row["market_segment"],
            "Status": STATUSES.get(row["status"], row["status"]),
            "Country": COUNTRIES[row["country"]],
        }
        for row in export_rows(bookings, today=today)
    ]


def _address(row: dict[str, str], *, last_good: date) -> str:
    if row["check_in"] > f"{last_good}":
        return row["guest_email"]
    return row["guest_email"].replace(REFUSED_DOMAIN, DOMAIN)


def to_csv(rows: list[dict[str, str]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()
