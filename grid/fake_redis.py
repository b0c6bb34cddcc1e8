"""fakeredis' TCP server in a process of its own, for a machine without redis-server.

`python -m grid.fake_redis PORT`
"""

import sys

from fakeredis import TcpFakeServer


def main() -> None:
    """Serve until the process is ended. Nothing is kept on disk."""
    server = TcpFakeServer(("127.0.0.1", int(sys.argv[1])))
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
