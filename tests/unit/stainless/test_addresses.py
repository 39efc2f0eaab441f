"""The parts of base URLs equal what the transport's URL says, and are remembered per URL."""

import anthropic
import pytest

from l0.stainless import addresses
from l0.stainless.addresses import MAX_ADDRESSES, Address, address_of

streaming = anthropic._streaming
URL = (getattr(streaming, "httpx2", None) or streaming.httpx).URL


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (
            "https://api.example/v1/",
            Address("api.example", 443, "https://api.example", "https://api.example/v1/", "api.example:None/v1/"),
        ),
        (
            "http://localhost:80/",
            Address("localhost", 80, "http://localhost", "http://localhost/", "localhost:None/"),
        ),
        (
            "http://[::1]:81/a?b=c",
            Address("::1", 81, "http://[::1]:81", "http://[::1]:81/a?b=c", "::1:81/a?b=c"),
        ),
    ],
)
def test_address_has_the_parts_of_its_url(text, address):
    url = URL(text)
    assert address_of(url) == address
    assert address_of(url) is address_of(url)


def test_number_of_remembered_urls_is_limited():
    for number in range(2 * MAX_ADDRESSES):
        assert address_of(URL(f"http://host{number}/")).host == f"host{number}"
        assert len(addresses._ADDRESSES) <= MAX_ADDRESSES
