"""How many round trips and calls things take. Times, which vary, are for `make bench`."""
