"""Short date and time formats for the admin. The day comes before the month in all languages.

E-mails to guests use other formats.
"""
