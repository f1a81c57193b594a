"""Merging layers: RFC 7396 to the letter, and an account of every value that holds whatever the layers say."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import layers
from configs.errors import ConfigError
from configs.layers import Layer, Part
from configs.loader import Source

KEYS = st.sampled_from(["a", "b", "c", "d"])
LISTS = st.lists(st.integers(0, 2), max_size=2)
PLAIN = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["x", ""]), LISTS)
VALUES = st.recursive(PLAIN, lambda below: st.dictionaries(KEYS, below, max_size=3), max_leaves=8)
SITES = st.dictionaries(KEYS, VALUES, max_size=4)
PATCHES = st.dictionaries(
    KEYS,
    st.recursive(st.one_of(st.none(), PLAIN), lambda below: st.dictionaries(KEYS, below, max_size=3), max_leaves=8),
    max_size=4,
)

RFC_7396_APPENDIX_A = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_APPENDIX_A)
def test_the_examples_of_the_standard(target: Any, patch: Any, result: Any) -> None:
    assert layers.merge(target, patch) == result


def source(values: dict[str, Any]) -> Source:
    return Source("", values, {})


def parts(site: dict[str, Any], *patches: dict[str, Any]) -> tuple[Part, ...]:
    """The layers as they lie; ``Merged`` is asked directly, for these names are no configuration's."""
    above = (Layer.GROUP, Layer.NODE, Layer.LOCAL)
    return Part(Layer.SITE, source(site)), *(Part(above[n], source(patch)) for n, patch in enumerate(patches))


def merged(found: tuple[Part, ...]) -> layers.Merged:
    values: Any = found[0].source.values
    for part in found[1:]:
        values = layers.merge(values, part.source.values)
    return layers.Merged(found, values)


@given(SITES)
def test_an_empty_patch_changes_nothing(site: dict[str, Any]) -> None:
    assert layers.merge(site, {}) == site


@given(SITES, PATCHES)
def test_a_patch_applied_twice_is_applied_once(site: dict[str, Any], patch: dict[str, Any]) -> None:
    once = layers.merge(site, patch)
    assert layers.merge(once, patch) == once


@given(SITES, PATCHES, PATCHES)
def test_nothing_that_is_merged_is_changed(site: dict[str, Any], one: dict[str, Any], two: dict[str, Any]) -> None:
    before = copy.deepcopy((site, one, two))
    merged(parts(site, one, two)).provenance()
    with contextlib.suppress(ConfigError):
        layers.compose(source(one), source(two))
    assert (site, one, two) == before


@given(SITES, PATCHES, PATCHES)
def test_the_patch_composed_of_two_does_what_they_do_one_after_the_other(
    site: dict[str, Any], one: dict[str, Any], two: dict[str, Any]
) -> None:
    in_turn = layers.merge(layers.merge(site, one), two)
    try:
        composed = layers.compose(source(one), source(two))
    except ConfigError as error:
        # Refused only where the first replaces or removes what the second changes a part of.
        for problem in error.problems:
            path = problem.path.split(".")
            first, second = at(one, path), at(two, path)
            assert not isinstance(first, dict) and isinstance(second, dict)
        return
    assert same(layers.merge(site, composed), in_turn)


@given(PATCHES, PATCHES, PATCHES)
def test_composing_is_associative_where_it_can_be_done(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    try:
        left = layers.compose(source(layers.compose(source(one), source(two))), source(three))
        right = layers.compose(source(one), source(layers.compose(source(two), source(three))))
    except ConfigError:
        return
    assert same(left, right)


@given(SITES, PATCHES, PATCHES, PATCHES)
def test_every_value_of_the_result_has_the_layer_that_set_it(
    site: dict[str, Any], one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    found = merged(parts(site, one, two, three))
    origin = found.provenance()
    assert set(origin) == set(layers.leaves(found.values))
    for path, layer in origin.items():
        height = list(Layer).index(layer)
        # The value is what its layer says, and no layer above has a word on it.
        assert same(at(found.parts[height].source.values, list(path)), at(found.values, list(path)))
        for above in found.parts[height + 1 :]:
            assert at(above.source.values, list(path)) is at
        through = merged(found.parts[: height + 1])
        assert same(at(through.values, list(path)), at(found.values, list(path)))


def at(values: Any, path: list[str]) -> Any:
    """What stands at a path; this function itself where nothing does."""
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return at
        values = values[part]
    return values


def same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
