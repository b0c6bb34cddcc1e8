"""The api service."""

from flask_openapi3 import Info, OpenAPI

from api.abandoned import RETRY_MS, Abandoned
from api.balancer import BalancerClient
from api.routes import create_routes
from api.watch import INTERVAL_MS, Watch
from grid import service
from grid.background import Background
from grid.http import Client
from grid.problems import Problem
from grid.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> OpenAPI:
    """The app, with its own description at /docs."""
    settings = settings or load_settings()
    client = Client(settings.threads, settings.connect_timeout_ms, settings.route_timeout_ms)
    balancer = BalancerClient(
        client, settings.balancer_urls, settings.route_try_ms, settings.route_timeout_ms, settings.retry_after_s
    )

    watch = Watch(balancer, places=settings.threads // 2)
    abandoned = Abandoned(balancer)
    abandoning = Background("abandoned", abandoned.cancel_all, RETRY_MS, abandoned.close)
    abandoned.on_change = abandoning.wake

    def balancer_ready() -> str | None:
        try:
            reply = balancer.call("GET", "/ready", "ready")
        except Problem as problem:
            return problem.detail
        return None if reply.status == 200 else "a balancer is not ready"

    app = OpenAPI(
        __name__,
        info=Info(title="Smart Grid load balancer", version="0.1.0", description="Ask for a charge; see the grid."),
        doc_prefix="/docs",
    )
    # /docs is the page itself, not a list with one entry
    app.config["OPENAPI_HTML_STRING"] = '<meta http-equiv="refresh" content="0; url=swagger">'
    service.init_app(app, "api", settings, {"balancer": balancer_ready}, for_drivers=True)
    app.register_api(create_routes(balancer, watch, abandoned, settings.zones, settings.retry_after_s))
    app.extensions["background"] = [Background("watch", watch.look, INTERVAL_MS, watch.close), abandoning]
    return app
