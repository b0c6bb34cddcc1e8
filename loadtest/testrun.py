"""One test, from its first call to its last answer. Locust's users find it here."""

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import gevent

from loadtest import answers
from loadtest.answers import Answer
from loadtest.desk import Desk, Errand
from loadtest.generator import Generator, describe
from loadtest.options import Options
from loadtest.plan import Plan

log = logging.getLogger(__name__)


@dataclass
class Run:
    """`began_at` is the clock's time of the first instant. Files are written if they are named."""

    options: Options = field(default_factory=Options)
    answers: str = ""
    result: str = ""
    desk: Desk = field(default_factory=Desk)
    generator: Generator = field(default_factory=Generator)
    began_at: float = 0.0
    intensity: str = ""
    calls: int = 0
    calling: gevent.Greenlet | None = None

    def make(self, plan: Plan) -> None:
        """All calls of the plan; until the last is answered, or will not be any more."""
        log.info("%s: %s", self.options.shape, plan.intensity)
        for note in plan.notes:
            log.warning(note)
        self.intensity = plan.intensity
        self.began_at = time.time()
        watching = gevent.spawn(self.generator.watch)
        try:
            self.desk.run(plan.arrivals, self.options.lasts_s)
        finally:
            watching.kill()
        self._write(self.desk.close())

    def note(self, errand: Errand, noted: Iterable[Answer]) -> None:
        """The outcome of this errand, unless it came too late to count."""
        if self.desk.done(errand):
            self._write(noted)

    def _write(self, noted: Iterable[Answer]) -> None:
        if self.answers:
            answers.write(Path(self.answers), noted)

    def end(self) -> None:
        """Call no more; say what it cost, and write down how it went."""
        if self.calling and self.calling is not gevent.getcurrent():
            self.calling.kill()
        figures = self.generator.as_json(self.calls, self.desk.late_s, self.desk.all_busy)
        log.info("The generator used %s", describe(figures))
        if self.result:
            run = {
                "began_at": self.began_at,
                "intensity": self.intensity,
                "cars": self.desk.cars,
                "generator": figures,
            }
            Path(self.result).write_text(json.dumps(run))


now = Run()
