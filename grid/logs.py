"""JSON logs, one object a line, each with the request it belongs to."""

import logging
import sys

from flask import g, has_request_context
from pythonjsonlogger.json import JsonFormatter


class _Request(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if has_request_context():
            record.request_id = g.get("request_id")
        return True


def configure(service: str, level: str) -> None:
    """Send everything this process logs to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_Request())
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": service},
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
