"""What AWS and the network can do to Trivet half-way, done to it on purpose.

`wire` stands between the application's AWS clients and moto, where the network would be, and
passes every request through a list of faults; `answers` has the error shapes of the real
services, `faults` the faults, `clock` a time that passes only where somebody waits, and `world`
an account with all of it, and the questions to ask of it afterwards.
"""
