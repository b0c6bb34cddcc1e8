"""The grid's two proxies as nginx/default.conf.template has them, for processes instead of containers."""

import os
from collections.abc import Sequence
from pathlib import Path

TEMPLATE = Path("nginx/default.conf.template")
# What nginx's own image wraps around it.
AROUND = """\
{user}
worker_processes auto;
error_log stderr notice;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
sendfile on;
keepalive_timeout 65;
{servers}
}}
"""


def configuration(
    template: str, folder: Path, public: int, internal: int, api: str, balancers: Sequence[str], is_root: bool
) -> str:
    """The whole configuration. `public` and `internal` are ports of loopback; `api` and `balancers` are host:port.

    Only where things are differs. No `resolve`: the addresses are known, and Debian's nginx cannot. Raises ValueError
    if the template is not as this expects it.
    """
    servers = template
    for name, value in {"/tmp/": f"{folder}/", "${MAX_BODY_BYTES}": "1048576", "${RETRY_AFTER_S}": "5"}.items():
        servers = servers.replace(name, value)
    for old, new in {
        "resolver 127.0.0.11 valid=1s ipv6=off;\nresolver_timeout 2s;\n": "",
        "server api:5000 resolve fail_timeout=1s;": f"server {api} fail_timeout=1s;",
        "server balancer:5000 resolve max_fails=0;": "\n".join(f"server {each} max_fails=0;" for each in balancers),
        "listen 8080;": f"listen 127.0.0.1:{public};",
        "listen 8081;": f"listen 127.0.0.1:{internal};",
        "/var/log/nginx/access.log": f"{folder}/access.log",
    }.items():
        if servers.count(old) != 1:
            raise ValueError(f"{TEMPLATE} does not have once: {old}")
        servers = servers.replace(old, new)
    # Else the workers of a nginx that root starts are nobody's, and may not write into the folder.
    return AROUND.format(user="user root;" if is_root else "", folder=folder, servers=servers)


def command(folder: Path, public: int, internal: int, api: str, balancers: Sequence[str]) -> list[str]:
    """Write the configuration into `folder`, and how to run nginx with it, in the foreground."""
    file = folder / "nginx.conf"
    is_root = os.geteuid() == 0
    file.write_text(configuration(TEMPLATE.read_text(), folder, public, internal, api, balancers, is_root))
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(file), "-g", "daemon off;"]
