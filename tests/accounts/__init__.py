"""Trivet over several accounts: the registry, environments in members, the fleet's state machine."""
