"""Base URLs, origins and hosts as keys of `Policy.truncation`."""

import pytest

from l0.model.truncation_keys import matching_keys, truncation_key


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("https://a.example/v1/", "https://a.example/v1"),
        (" HTTPS://A.Example:443/V1/Models// ", "https://a.example/V1/Models"),
        ("a.example:80/v1", "http://a.example/v1"),
        ("http://a.example:443", "http://a.example:443"),
        ("[::1]:8000/v1", "[::1]:8000/v1"),
        ("a.example", "a.example"),
    ],
)
def test_spelling_of_a_key(given: str, key: str) -> None:
    assert truncation_key(given) == key
    assert truncation_key(key) == key


@pytest.mark.parametrize("given", ["/v1", "https:///v1", "a.example:port/v1", "a.example/v1?x", "a.example/v1#x", None])
def test_a_key_without_a_host_or_with_more_than_a_base_url(given: object) -> None:
    assert truncation_key(given) is None


def test_most_specific_key_comes_first() -> None:
    assert list(matching_keys("https://[::1]:8000/v1/")) == [
        "https://[::1]:8000/v1",
        "[::1]:8000/v1",
        "[::1]/v1",
        "https://[::1]:8000",
        "[::1]:8000",
        "[::1]",
    ]
    assert list(matching_keys("http://a.example/")) == ["http://a.example", "a.example", "a.example"]
