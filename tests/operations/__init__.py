"""Deploying and operating: the stack, the deployment, the doctor."""
