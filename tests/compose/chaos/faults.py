"""What docker does to a container, and how it is put right again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from ..stack import eventually, run
from .schedule import Kind


@dataclass(frozen=True, slots=True)
class Container:
    """`name` is the service and its number; `aliases` are its names in DNS on the network between the services."""

    id: str
    name: str
    network: str
    aliases: tuple[str, ...]

    @classmethod
    def of(cls, inspected: dict[str, Any]) -> Self:
        labels = inspected["Config"]["Labels"]
        name = f"{labels['com.docker.compose.service']}-{labels['com.docker.compose.container-number']}"
        ((network, endpoint),) = inspected["NetworkSettings"]["Networks"].items()
        return cls(inspected["Id"], name, network, tuple(endpoint["Aliases"]))


@contextmanager
def suffering(container: Container, kind: Kind) -> Iterator[None]:
    """The container suffers meanwhile, and is put right afterwards whatever happens."""
    aliases = [f"--alias={alias}" for alias in container.aliases]
    begin, end = {
        # Docker takes a kill for the owner's wish, so `restart: unless-stopped` does not start it again.
        Kind.KILL: (["kill", container.id], ["start", container.id]),
        Kind.PAUSE: (["pause", container.id], ["unpause", container.id]),
        Kind.DISCONNECT: (
            ["network", "disconnect", container.network, container.id],
            ["network", "connect", *aliases, container.network, container.id],
        ),
    }[kind]
    eventually(lambda: _done("docker", *begin))
    try:
        yield
    finally:
        run("docker", *end)


def _done(*command: str) -> bool:
    """Docker cannot freeze a container in which a process starts just then, as its health check does."""
    try:
        run(*command)
    except AssertionError as error:
        if "unable to freeze" in str(error):
            return False
        raise
    return True
