"""`trivet console`: serves the console on loopback until Ctrl-C."""

import socket

import click

from trivet.session import Session, with_session

_LOOPBACK = "127.0.0.1"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="The port on 127.0.0.1; 0 for any that is free.",
)
@with_session
def console(session: Session, port: int) -> None:
    """Look after environments in a browser, until Ctrl-C.

    The console listens on this machine only, and asks the API in your own name. Open the URL that
    it prints: its token is good until the console ends, so pass it to nobody.
    """
    # Imported here: no other command pays for them.
    import waitress

    from trivet.console.app import create_app
    from trivet.console.guard import Guard

    api = session.api
    try:
        listening = socket.create_server((_LOOPBACK, port))
    except OSError as error:
        raise click.ClickException(
            f"The console cannot listen on {_LOOPBACK}:{port}: {error.strerror}. "
            "Another console may; choose another port with --port."
        ) from error
    with listening:
        guard = Guard(listening.getsockname()[1])
        click.echo(f"The console of {api.url}, until Ctrl-C:\n\n  {guard.url}\n")
        app = create_app(api, guard)
        waitress.serve(app, sockets=[listening], threads=8, ident=None, _quiet=True)
