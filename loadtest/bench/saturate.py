"""As many requests as an arm can answer: wrk, which sends the next one of a connection when it has the last answer."""

import json
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

THREADS = 1
SCRIPT = """\
local bodies = {{ {bodies} }}
local requests, turn = {{}}, 0

init = function()
  for i, body in ipairs(bodies) do
    requests[i] = wrk.format('POST', nil, {{ ['Content-Type'] = 'application/json' }}, body)
  end
end

request = function()
  turn = turn % #requests + 1
  return requests[turn]
end

done = function(summary)
  local of = summary.errors
  local failed = of.connect + of.read + of.write + of.timeout + of.status
  print(string.format('{{"answered": %d, "us": %d, "failed": %d}}', summary.requests, summary.duration, failed))
end
"""


@dataclass(frozen=True)
class Saturation:
    """`answered` includes those that `failed` with a status of 400 or more."""

    answered: int
    failed: int
    seconds: float
    generator_cpu_s: float

    @property
    def calls_per_s(self) -> float:
        return (self.answered - self.failed) / self.seconds


def saturate(url: str, bodies: list[str], connections: int, seconds: float, folder: Path) -> Saturation:
    """POST the bodies in turn to /request-charge. `seconds` are rounded to whole ones."""
    script = folder / "wrk.lua"
    script.write_text(lua(bodies))
    how = [f"-t{THREADS}", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(script)]
    before = _children_cpu_s()
    done = subprocess.run(["wrk", *how, f"{url}/request-charge"], check=True, capture_output=True, text=True)
    return parse(done.stdout, _children_cpu_s() - before)


def lua(bodies: list[str]) -> str:
    """wrk's script."""
    return SCRIPT.format(bodies=", ".join(f"[==[{body}]==]" for body in bodies))


def parse(output: str, generator_cpu_s: float) -> Saturation:
    """What the script printed last."""
    said = json.loads(output.splitlines()[-1])
    return Saturation(said["answered"], said["failed"], said["us"] / 1e6, generator_cpu_s)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
