"""Everything that is generated about permissions: who may do what, as IAM policies.

- `names`: what the policies speak of, from the templates and from `.chalice/config.json`
- `actions`: the AWS actions that Trivet needs, by what it needs them for
- `functions`: the policy of each of Trivet's functions, and what a session of it may do elsewhere
- `boundary`: the most that a role which Trivet provisions may do
- `member`: what a member account grants to Trivet, as a CloudFormation template
- `guard`: the service control policy that keeps others' hands off what is Trivet's
- `statements`: how IAM writes all that

All of it is pure: from names to documents. `tools.make_policies` writes the files.
"""
