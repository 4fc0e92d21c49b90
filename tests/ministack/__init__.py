"""Trivet over MiniStack with AUTH=true: another AWS, which authorizes each call as AWS does.

MiniStack runs as a server of its own; Trivet reaches it as it reaches AWS, with the credentials of
its functions' roles. What is granted is what is generated: the functions' policies, the member
account's template, the package, the fleet's state machine.

What version 1.5.33 cannot show, and other tests do: a smoke test that succeeds (it has no SageMaker
for a state machine to call, and its policy simulator takes no context and one resource), events of
one account forwarded to another, `iam:PassRole`, which it never asks for, and a Distributed Map's
retries of what Lambda throttles.
"""
