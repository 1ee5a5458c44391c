"""Services for the front desk: new reservations, check-in, check-out, no-shows, and changes of rooms and dates.

Each service locks the reservation, checks its status, and makes all changes in one transaction.
"""
