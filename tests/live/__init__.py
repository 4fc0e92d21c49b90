"""`make live`: the contract against a real stage, under a throw-away name.

Opt-in, since it needs credentials, and asks before it starts. `steps.py` speaks HTTP and botocore
alone, and imports nothing of the app. `test_embedded.py` takes the same steps over the embedded AWS
in `make test`; what that cannot do is skipped with the reason.
"""

import pytest

pytest.register_assert_rewrite("tests.live.stage", "tests.live.drifts", "tests.live.steps")
