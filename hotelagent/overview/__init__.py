"""The figures of all hotels and processes, for the start page of the platform's admin.

Each figure comes from one query on the tables of the platform, or from Redis. No query reads the schemas of the hotels.
"""
