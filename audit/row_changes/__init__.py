"""The recording of changed rows by database triggers, for the tables that are declared in `tenants.tracked_rows`."""
