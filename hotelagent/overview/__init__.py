"""The numbers about all hotels and processes that the start page of the platform's admin shows.

Each number comes from one query on the tables of the platform, or from Redis. No query reads the schemas of the hotels.
"""
