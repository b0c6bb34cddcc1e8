"""What a container may do, and who can reach it."""

import json

import pytest

from .stack import Stack, run

SERVICES = (
    "nginx",
    "api",
    "balancer",
    "substation",
    "redis",
    "prometheus",
    "redis-exporter",
    "nginx-exporter",
    "grafana",
    "locust",
)
PUBLISHED = {"nginx", "prometheus", "grafana", "locust"}


@pytest.fixture(params=SERVICES)
def service(stack: Stack, request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in stack.services():
        pytest.skip(f"COMPOSE_FILE leaves {name} out")
    return name


def test_every_service_is_described_as_hardened_also_one_that_does_not_run_here(stack: Stack) -> None:
    described = stack.described()

    assert described.keys() == set(SERVICES)
    for name, service in described.items():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        assert service["networks"].keys() == ({"front", "back"} if name in PUBLISHED else {"back"})
        assert bool(service.get("ports")) == (name in PUBLISHED)
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", []))
        assert "build" in service or not service["image"].endswith(":latest")


def test_a_container_may_do_only_what_it_must(stack: Stack, service: str) -> None:
    for container in stack.containers(service):
        host = container["HostConfig"]
        assert container["Config"]["User"].partition(":")[0] not in ("", "0", "root")
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}


def test_only_the_doors_are_published_and_only_on_loopback(stack: Stack, service: str) -> None:
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
