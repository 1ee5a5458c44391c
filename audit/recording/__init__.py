"""The steps by which an event becomes a row: cleaning and limiting of values, salts, and the origin of the event."""
