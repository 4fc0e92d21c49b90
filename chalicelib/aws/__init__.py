"""The boundary to AWS: whose account is spoken to, how often again, and what an answer means."""
