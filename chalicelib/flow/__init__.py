"""The flow of one environment: looked at, planned, carried out, proved; or removed; and told of."""
