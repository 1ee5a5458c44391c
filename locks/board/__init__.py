"""The room board: a page of the admin that shows rooms and nights as a grid, and where staff hold and move rooms."""
