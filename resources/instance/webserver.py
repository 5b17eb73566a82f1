"""Dagster's webserver, with a middleware around all its routes, websockets too. Dagster has no setting for one."""

from collections.abc import Sequence

from starlette.middleware import Middleware


def serve_dagster(arguments: Sequence[str], outermost: Middleware) -> None:
    """Run `dagster-webserver` with these arguments in this process, until it is stopped."""
    from dagster_webserver import cli
    from dagster_webserver.webserver import DagsterWebserver

    inner = DagsterWebserver.build_middleware

    def build_middleware(self: DagsterWebserver) -> list[Middleware]:
        return [outermost, *inner(self)]

    DagsterWebserver.build_middleware = build_middleware
    cli.dagster_webserver.main(args=list(arguments), prog_name="dagster-webserver")
