"""Dates as a column has room for, the day before the month in every language. Letters to guests have their own."""
