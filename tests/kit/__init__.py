"""The test kit: an AWS in memory, what goes wrong on the way to it, and the app over it.

`tests/README.md` says which part is for what.
"""
