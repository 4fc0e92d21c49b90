"""What happens without a request: the schedule, IAM's change events, the steps of a fleet run."""
