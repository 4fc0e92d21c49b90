"""Trivet's command line: speaks HTTP to Trivet's API, in the caller's own name."""

VERSION = "2.0.0"
