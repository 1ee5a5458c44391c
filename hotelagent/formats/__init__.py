"""Date and time formats of the admin. They are short, and the day precedes the month in all languages.

E-mails to guests have their own formats.
"""
