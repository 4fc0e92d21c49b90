"""The stack `trivet-<stage>-operations`: what an operator needs around the functions, as code.

`template()` makes the CloudFormation template that is checked in as `deploy/operations.json`; one
template serves every stage. Each part is a file here: what is called how (`names`), the alarms,
the dashboard, the queues, the watcher over other people's changes, and the fleet's state machine.
Pure: nothing here asks AWS.
"""

from tools.operations.template import sam_names, template

__all__ = ["sam_names", "template"]
