"""What Trivet knows of a role, a policy, a state machine: one file each.

How it is read, whose it is, how two differ, how a difference is put right, how it is taken away,
which actions that needs and which CloudTrail events tell of it.
"""
