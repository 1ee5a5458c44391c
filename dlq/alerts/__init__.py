"""The figures of each tenant's failures, and the e-mails that warn about them."""
