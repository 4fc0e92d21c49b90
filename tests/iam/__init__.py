"""What the IAM policies of Trivet's functions allow, tried on the AWS calls of the tests.

`recorder` notes each call that the application makes, `authorization` says what AWS asks IAM about
such a call, and `simulator` gives the answer of a policy: action by action, resource by resource,
condition by condition.
"""
