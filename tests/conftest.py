"""The order of tests, and a Hypothesis profile. ``mutants`` (`make mutants`): the same examples in every run, no search
for smaller ones."""

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants",
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine must not pass for a mutant that was noticed
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Property tests last: where the first failure ends a run, a plainer and faster test should be the one."""
    items.sort(key=lambda item: item.path.parent.name == "property")
