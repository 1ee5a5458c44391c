"""The mapping of a file's columns to booking fields, and the profiles of the files that vendors export."""
