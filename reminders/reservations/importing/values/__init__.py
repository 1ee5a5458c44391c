"""The parsers for the values of cells, such as dates, statuses and countries."""
