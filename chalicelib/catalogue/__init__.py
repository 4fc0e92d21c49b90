"""The catalogue of profiles under `policies/`: read and checked once, then rendered.

`files` is what the files look like, `names` what an environment may be called, `parameters` what
callers may set, `placeholders` how values get into documents, `checks` what is refused when a
profile is loaded, `profile` one profile and its rendering, `catalogue` all of them.
"""

from chalicelib.catalogue.catalogue import load

__all__ = ["load"]
