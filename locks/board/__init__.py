"""The room board: an admin page that shows rooms and nights as a grid. Staff use the board to hold and move rooms."""
