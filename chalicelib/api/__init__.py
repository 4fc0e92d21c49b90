"""The HTTP API: routes, requests validated, answers and problems rendered."""
