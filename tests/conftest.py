"""What every test may count on: one thread each, fixed seeds, and the folder of real data where there is one."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Both libraries read these once, when first imported. More threads get in the way of other test processes, and answers
# differ by them in their last digits.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["POLARS_MAX_THREADS"] = "2"

# A shell starts background jobs with interrupts ignored, nohup ignores SIGHUP, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import pytest
from hypothesis import HealthCheck, settings
from tests.support import delays

try:
    from hypothesis.internal.conjecture import providers

    # Hypothesis draws constants, too, that it finds in the modules of the project which have been imported so far.
    # Which those are depends on the tests that ran before in the same process, and so would what a test tries.
    nothing = providers.Constants()
    providers._get_local_constants = lambda: nothing
except (ImportError, AttributeError):
    # Earlier releases draw none.
    pass

# How long it takes to make examples is for the machine to say.
settings.register_profile(
    "repository", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repository")


# How wide a terminal is and who wants colours must not depend on who runs the tests; consoles and children read these.
os.environ["COLUMNS"] = "80"
for name in ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH"):
    os.environ.pop(name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "random pauses that bring out races, one seed or SEED,KIND,...; see CONTRIBUTING.md"
    parser.addoption("--delays", metavar="SEED", help=words)


def pytest_configure(config: pytest.Config) -> None:
    if told := config.getoption("delays"):
        delays.start(told)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if told := item.config.getoption("delays"):
        delays.seed(told, item.nodeid)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data that ATTRFORMER_DATA names; the test is skipped where there is none."""
    value = os.environ.get("ATTRFORMER_DATA")
    if not value:
        pytest.skip("needs real data: set ATTRFORMER_DATA to the folder that holds beauty, toys, ml-1m and raw")
    root = Path(value)
    if not root.is_dir():
        pytest.skip(f"needs real data: ATTRFORMER_DATA is {value}, which is not a folder")
    return root


@pytest.fixture(autouse=True)
def fixed_torch_state() -> Iterator[None]:
    """Every test starts from the same torch seed and leaves the global switches as it found them."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def known_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forgets after the test which models, relations, metrics and formats it has registered and imported."""
    from attrformer import plugins
    from attrformer.config import schema as kinds
    from attrformer.data.formats import registry as formats
    from attrformer.evaluation.metrics import registry as metrics
    from attrformer.models import registry
    from attrformer.models.config import ModelConfig
    from attrformer.relations import RelationOptions
    from attrformer.relations import registry as relations

    kept: tuple[dict[Any, Any], ...] = (
        kinds._FAMILIES[ModelConfig].members,
        registry._networks,
        plugins._loaded,
        kinds._FAMILIES[RelationOptions].members,
        relations._registered,
        metrics._known,
        formats._known,
        formats.SOURCES,
    )
    before = [dict(known) for known in kept]
    monkeypatch.setattr(sys, "path", [*sys.path])
    # Set and taken away, so that what the library writes there is undone.
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.delenv(plugins.VARIABLE)
    yield
    for module in (plugins._loaded[name] for name in plugins._loaded.keys() - before[2].keys()):
        if str(module.__file__).startswith(tempfile.gettempdir()):
            for name in [name for name in sys.modules if f"{name}.".startswith(f"{module.__name__}.")]:
                del sys.modules[name]
    for known, had in zip(kept, before, strict=True):
        known.clear()
        known.update(had)
