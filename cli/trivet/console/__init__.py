"""Trivet's console: the API's documents as pages, in a browser on the same machine.

A request comes through `guard` (is it the operator's own browser?), a page asks Trivet's API in
the operator's own name, and a template shows the answer. The console knows nothing of its own: it
keeps nothing on disk, and what it may do is what the operator may do. The paths of its pages are
the API's paths, so that whoever knows one knows the other.

    command        `trivet console`: listens on loopback and prints the URL to open
    app            puts the pages together, and shows what went wrong in words
    guard          token, cookie, Host, Origin, security headers
    environments   the list; one environment; what can be done to it
    declare        the form, the plan, and applying it; `declaration` reads the form
    drift_runs     reports, and starting a run
    accounts       the accounts, adding and removing one
    pages          what these share
    diff, words    pure: a change as lines with + and -, times and states in words
"""
