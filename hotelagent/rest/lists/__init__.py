"""The conventions of lists: filters, pages and the export as CSV."""
