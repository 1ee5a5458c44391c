"""The waiting list: rooms that become free are offered to waiting clients, first come, first served."""
