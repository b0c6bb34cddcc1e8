"""Half a minute of `make chaos`; one that may take longer finds more."""

from .chaos.run import chaos


def test_chaos_breaks_no_promise(docker: None) -> None:
    verdict = chaos(seed=7, duration_s=30, say=print)

    assert not verdict.broken
