"""Locust's image holds Locust, requests and this folder only: what its process imports must do with that."""

import subprocess
import sys

ONLY_HERE = ("grid", "rich", "matplotlib", "redis", "flask_openapi3", "pydantic_settings")
IMPORT = f"""
import sys
sys.modules.update(dict.fromkeys({ONLY_HERE}))
import loadtest.locustfile
"""


def test_the_locustfile_needs_no_more_than_its_image_has() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
