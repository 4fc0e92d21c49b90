"""Trivet: the IAM roles of SageMaker and Step Functions environments, made and kept as declared."""

import gc

VERSION = "2.0.0"

# What importing makes stays. By default Python looks through all of it for garbage again and
# again meanwhile, which takes a tenth of a cold start.
gc.set_threshold(10_000)
