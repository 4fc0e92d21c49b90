"""`make bench`: how many round trips, how long and how much memory, beside today's ways."""
