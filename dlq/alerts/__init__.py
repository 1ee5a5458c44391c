"""The counts of each tenant's failures, and the e-mails that warn about failures."""
