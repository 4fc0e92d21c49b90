"""The hostile AWS of the kit: that it is as hostile as AWS, and that Trivet gets along with it."""
