"""Rooms, and the holds, stays and closures that occupy them. Those of one room never overlap."""
