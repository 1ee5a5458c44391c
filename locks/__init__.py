"""Rooms, and who has them for which nights. Two overlapping holds or stays of one room cannot exist."""
