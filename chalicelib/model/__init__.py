"""The nouns of Trivet: plain frozen data, and what can be told of it without asking anybody.

`desired` is what the templates want, `actual` what AWS holds, `environment` what is remembered
in the table, `change` what differs as people read it, `explain` how it is put in words,
`history` and `report` what was done.
"""
