"""The profiles under `policies/`: loading, rendering, and what the rendered roles may do."""
