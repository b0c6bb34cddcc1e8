"""What a container may do, and who can reach it."""

import json

import pytest

from .stack import Stack, run

SERVICES = ("nginx", "api", "balancer", "substation", "redis", "prometheus", "locust")
PUBLISHED = {"nginx", "prometheus", "locust"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_may_do_only_what_it_must(stack: Stack, service: str) -> None:
    for container in stack.containers(service):
        host = container["HostConfig"]
        assert run("docker", "exec", container["Id"], "id", "-u").strip() != "0"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}


@pytest.mark.parametrize("service", SERVICES)
def test_only_what_people_open_is_published_and_only_on_loopback(stack: Stack, service: str) -> None:
    for container in stack.containers(service):
        published = [
            binding for bindings in container["NetworkSettings"]["Ports"].values() for binding in bindings or []
        ]
        assert bool(published) == (service in PUBLISHED)
        assert all(binding["HostIp"] == "127.0.0.1" for binding in published)

        networks = {name.rpartition("_")[2]: name for name in container["NetworkSettings"]["Networks"]}
        assert networks.keys() == ({"front", "back"} if service in PUBLISHED else {"back"})
        (back,) = json.loads(run("docker", "network", "inspect", networks["back"]))
        assert back["Internal"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/metrics"),
        ("GET", "//metrics"),
        ("GET", "/%6detrics"),
        ("GET", "/ready"),
        ("POST", "/route"),
        ("POST", "/charge"),
    ],
)
def test_what_is_internal_is_not_served_to_the_public(stack: Stack, method: str, path: str) -> None:
    answer = stack.call(method, path, json={})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
