"""URL configurations: for the host of the platform, for the hosts of hotels, and for their former hosts."""
