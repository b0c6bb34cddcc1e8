"""The proxies of the benchmark are the shipped ones, elsewhere."""

from pathlib import Path

import pytest

from loadtest.bench import nginx

BALANCERS = ["127.0.0.1:20002", "127.0.0.1:20003"]


def configuration(template: str, folder: Path = Path("/tmp/bench/nginx"), is_root: bool = False) -> str:
    return nginx.configuration(template, folder, 20_000, 20_001, "127.0.0.1:20004", BALANCERS, is_root)


@pytest.fixture
def shipped() -> str:
    return nginx.TEMPLATE.read_text()


def test_only_where_things_are_differs(shipped: str) -> None:
    ours = configuration(shipped).splitlines()

    gone = [line.strip() for line in shipped.splitlines() if line not in ours]
    assert [line.split()[0] for line in gone] == [
        *("resolver", "resolver_timeout", "server", "server"),
        *("413", "client_max_body_size"),
        *("client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"),
        *("listen", "access_log", "add_header", "return", "listen", "return"),
    ]


def test_every_replica_is_named_and_connections_to_it_are_kept(shipped: str) -> None:
    ours = configuration(shipped)

    for balancer in BALANCERS:
        assert f"server {balancer} max_fails=0;" in ours
    assert "server 127.0.0.1:20004 fail_timeout=1s;" in ours
    assert ours.count("keepalive 64;") == 2


def test_it_listens_on_loopback_only_and_writes_into_its_folder_only(shipped: str) -> None:
    lines = [line.split() for line in configuration(shipped).splitlines()]

    listens = [words[1] for words in lines if words[:1] == ["listen"]]
    written = [words[1] for words in lines if words and (words[0].endswith("_temp_path") or words[0] == "pid")]
    logs = [words[1] for words in lines if words[:1] == ["access_log"]]
    assert listens == ["127.0.0.1:20000;", "127.0.0.1:20001;"]
    assert len(written) == 6
    assert all(path.startswith("/tmp/bench/nginx/") for path in written)
    assert logs == ["/tmp/bench/nginx/access.log", "off;"]


def test_nothing_is_left_to_fill_in(shipped: str) -> None:
    assert "${" not in configuration(shipped)
    assert "resolve" not in "\n".join(
        line for line in configuration(shipped).splitlines() if not line.strip().startswith("#")
    )


@pytest.mark.parametrize(("is_root", "first"), [(True, "user root;"), (False, "")])
def test_the_workers_of_root_may_write_into_its_folder(shipped: str, is_root: bool, first: str) -> None:
    assert configuration(shipped, is_root=is_root).splitlines()[0] == first


def test_a_template_that_has_changed_is_not_guessed_at(shipped: str) -> None:
    with pytest.raises(ValueError, match="does not have once: listen 8080;"):
        configuration(shipped.replace("listen 8080;", "listen 80;"))
