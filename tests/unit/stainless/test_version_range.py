"""A range contains the same versions as for packaging."""

from itertools import product

import pytest
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from l0.stainless.version_range import supports

VERSIONS = ("1", "1.59.9", "1.60", "1.60.0", "1.60.0.0", "3.999.1", "4", "4.0.0", "10.2", "0.40", "0", "0.0")
OTHERS = ("4.0rc1", "1.60.0.dev1", "1.60.0+local", "v1.60", "1!1.0", "1.60.post1", "\u0661.60")
RANGES = (">= 1.60, < 4", ">=1.60,<4", ">= 0.40, < 3", ">= 1.60.0", "< 4.0.0", ">= 0")
OTHER_RANGES = ("~= 1.60", "== 1.60.*", "!= 1.60", "> 1.60, <= 4", ">= 1.60.0rc1", "", ">= 1.60,", ">= 1!0")


@pytest.mark.parametrize(
    ("supported", "version"), [*product(RANGES, VERSIONS + OTHERS), *product(OTHER_RANGES, VERSIONS + OTHERS)]
)
def test_a_range_contains_what_it_contains_for_packaging(supported: str, version: str) -> None:
    assert supports(supported, version) is SpecifierSet(supported, prereleases=True).contains(version)


@pytest.mark.parametrize("supported", ["1.60", ">= 1.60 < 4", ">= x"])
def test_a_range_that_packaging_refuses_is_refused(supported: str) -> None:
    with pytest.raises(InvalidSpecifier):
        supports(supported, "1.60")
