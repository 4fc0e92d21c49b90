"""The API in memory, for whoever speaks HTTP to it: the command line, the console, the examples."""

import io
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from email.message import Message
from unittest.mock import patch
from urllib.parse import urlsplit
from urllib.response import addinfourl

from .http import Api

URL = "http://trivet.example"


@contextmanager
def edge(api: Api) -> Iterator[str]:
    """Have what urllib would send to a host answered by an API in this process; yield its URL.

    All of the caller's own code runs, up to the connection that is not made.
    """

    def answered(_: urllib.request.HTTPHandler, request: urllib.request.Request) -> addinfourl:
        parts = urlsplit(request.full_url)
        assert f"{parts.scheme}://{parts.netloc}" == URL, request.full_url
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        content = request.data if isinstance(request.data, bytes) else b""
        sent = dict(request.header_items())
        # On Lambda, what Trivet prints (its metrics) is not its caller's output.
        with redirect_stdout(io.StringIO()):
            answer = api.request(request.get_method(), path, content, sent)
        headers = Message()
        for name, value in answer.headers.items():
            headers[name] = value
        body = io.BytesIO(json.dumps(answer.body).encode())
        response = addinfourl(body, headers, request.full_url, answer.status)
        vars(response)["msg"] = ""
        return response

    with patch.object(urllib.request.HTTPHandler, "http_open", answered):
        yield URL
