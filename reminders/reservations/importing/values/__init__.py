"""The parsers of the values of cells: dates, statuses and countries."""
