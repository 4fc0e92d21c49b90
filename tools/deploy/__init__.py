"""`make deploy` and `make deploy-plan`: a stage as it should be, step by step.

    boundary -> functions -> operations stack -> logs -> API stage

Each step compares what is there with what should be, and yields an action for each difference:
the plan prints them, the deployment prints and does them. A stage that is as it should be has
none, so that the same call again is safe, and goes on where one before it ended.

The boundary comes first: no role that the new functions make is to be without it.
"""
