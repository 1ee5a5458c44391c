"""Declaration of the columns of the app's tables for masked copies of a hotel's data."""

from tenants.personal_data import declare_columns, omit_rows

# Masked copies omit the connection, because a copy would send requests to the PMS of a real hotel.
omit_rows("pms_connection")
# A booking in progress contains the guest's data.
omit_rows("pms_booking")
omit_rows("pms_conflict")
omit_rows("pms_occupiedroom")
declare_columns("pms_rate", kept=("room_type", "weekdays"))
# A masked copy has no connection, so the circuit breakers have no meaning there.
omit_rows("pms_circuitbreaker")
