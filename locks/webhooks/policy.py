"""Limits and waits of webhooks."""

#: A webhook is told so long before a hold ends (seconds).
WARNING_SECONDS = 120
WEBHOOKS = 20
#: Hours for which the secret before a rotation still signs: unless told otherwise, and at most.
SECRET_OVERLAP_HOURS = 24
SECRET_OVERLAP_HOURS_MOST = 168
#: Seconds before a notice is sent again, each with up to a tenth more: about a day. Then it is a failure for people.
NOTICE_WAITS = (10, 30, 120, 600, 3600, 10_800, 21_600, 43_200)
#: After a failure a webhook is left alone for so long (seconds); after so many days of nothing else it is switched off.
QUIET_SECONDS = 30
FAILING_DAYS = 3
