"""fakeredis' TCP server in a process of its own, for a machine without redis-server.

`python -m grid.fake_redis PORT`
"""

import sys
from typing import Any

from fakeredis import TcpFakeServer
from fakeredis._clients._tcp_server import TCPFakeRequestHandler
from redis.exceptions import ResponseError


class _Handler(TCPFakeRequestHandler):
    """Answers an error as Redis does; fakeredis' own handler also closes the connection, at each NOSCRIPT too."""

    def setup(self) -> None:
        super().setup()
        read = self.current_client.read_response

        def answer(*args: Any, **options: Any) -> Any:
            try:
                return read(*args, **options)
            except ResponseError as error:
                return error

        self.current_client.read_response = answer  # type: ignore[method-assign]


def main() -> None:
    """Serve until the process is ended. Nothing is kept on disk."""
    server = TcpFakeServer(("127.0.0.1", int(sys.argv[1])))
    server.RequestHandlerClass = _Handler
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
