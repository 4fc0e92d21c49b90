"""What Trivet remembers: one DynamoDB table, and everything that is kept in it.

    pk                              sk                          what
    environment                     <name>                      an environment of home
    environment#<account>           <name>                      an environment of a member account
    index#<account>#<facet>=<value> <name>                      it has this value of this facet
    looked                          <account>                   when a fleet run found all in sync
    history#<account>#<name>        <at>#<id>                   what was done to it
    drift-run, drift-preview        <id>                        the head of a drift report
    drift-run#<id>                  account#<account>           what a run came to in one account
    drift-run#<id>                  finding#<account>#<number>  a part of its findings
    account                         <account>                   a member account
    lock                            drift-run                   the lease on the fleet

`table` is the one boundary to DynamoDB: every write that another call could meet is conditional,
and carries the id of its operation, so that one whose answer was lost is recognised when it is sent
again. `environments` gives out a `hold`, which alone changes a record. A lease runs out by itself.
What the table says is not trusted: a row that does not fit its key harms only itself.
"""
