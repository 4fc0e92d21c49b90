"""Trivet: the IAM roles of SageMaker and Step Functions environments, made and kept as declared."""

VERSION = "1.0.0"
