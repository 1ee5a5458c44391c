"""Bookings from a file:

read, understood, roomed, stored, in memory that does not grow with the file's width.
"""
