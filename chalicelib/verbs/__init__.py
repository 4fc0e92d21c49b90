"""What can be asked of Trivet: one file for each verb."""
