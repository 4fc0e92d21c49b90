"""`make live`: the contract against a real stage, under a throw-away name.

Opt-in, in no other target: it needs credentials, and asks before it starts. It speaks HTTP and
botocore alone, and imports nothing of the app. `make live STAGE=dev` finds the API of a stage;
`TRIVET_URL` names any other, such as that of `make serve`: what an emulator cannot do is skipped
with the reason.
"""
