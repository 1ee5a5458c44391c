"""URL configurations for three kinds of hosts: the platform's host, hosts of hotels, and former hosts of hotels."""
