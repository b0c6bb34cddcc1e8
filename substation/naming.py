"""Which name a substation has when nobody gave it one: readable, and the same after a restart."""

import logging
import re
import socket

import dns.exception
import dns.resolver
import dns.reversename

log = logging.getLogger(__name__)

# Compose names replicas <project>-<service>-<number>, and its resolver knows each by its address.
_REPLICA = re.compile(r"(?:^|[-_])([a-z]+)[-_](\d+)(?:\.|$)")


def own_name(hostname: str | None = None) -> str:
    """`substation-2` for the second replica under Compose; else the host's name."""
    hostname = hostname or socket.gethostname()
    replica = _REPLICA.search(_name_in_dns(hostname))
    return f"{replica[1]}-{replica[2]}" if replica else hostname.partition(".")[0]


def _name_in_dns(hostname: str) -> str:
    # The hosts file gives the container's random id, so the resolver is asked itself.
    try:
        address = socket.gethostbyname(hostname)
        if address.startswith("127."):
            return hostname
        answer = dns.resolver.resolve(dns.reversename.from_address(address), "PTR", lifetime=2.0)
        return str(next(iter(answer)))
    except (OSError, dns.exception.DNSException) as error:
        log.info("no name in DNS for %s (%s)", hostname, error)
        return hostname
