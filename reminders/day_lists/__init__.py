"""The lists of a day: arriving guests, guests in house, departing guests, and the rooms for housekeeping."""
