from hotelagent.pms.admin import bookings, connection, rates  # noqa: F401 - the modules register their pages
