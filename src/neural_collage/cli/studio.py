"""`collage studio`: the library in a browser, served from this machine."""

from typing import Annotated

import typer


def studio(
    host: Annotated[str, typer.Option(metavar="H", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", help="Port to listen on.")] = 7860,
) -> None:
    """Serve the studio: compress, zoom, fractalize, stylize, restore and sample in a browser."""
    if not 1 <= port <= 65535:
        raise typer.BadParameter(f"--port {port}: give 1 to 65535")

    import socket

    from neural_collage.errors import CollageError
    from neural_collage.web.app import serve

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CollageError(
                f"{host}:{port} cannot be listened on ({error.strerror}): choose another --port"
            ) from error
    if host not in ("127.0.0.1", "localhost", "::1"):
        typer.echo(
            f"collage: warning: anybody who can connect to {host} can use this machine: there are "
            "no passwords",
            err=True,
        )
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"Collage studio at http://{shown}:{port} (Ctrl-C ends it)")
    serve(host, port)
