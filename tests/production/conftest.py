"""Fixtures: those of the integration tests, for what operators do."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
sys.path[:0] = [str(HERE), str(INTEGRATION), str(HERE.parents[1] / "contrib/sandbox")]


def _load(name, path):
    """By its path: there is one conftest.py in each directory."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("conftest", module)
    spec.loader.exec_module(module)
    return module


globals().update({name: value for name, value in vars(_load("integration_fixtures", INTEGRATION / "conftest.py")).items()
                  if not name.startswith("_")})
