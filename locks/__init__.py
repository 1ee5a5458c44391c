"""The rooms of a hotel, and the holds, stays and closures that occupy them without overlaps."""
