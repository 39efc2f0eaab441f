"""Every content encoding of an answer is undone, read by read."""

import gzip
import sys
import zlib
from types import ModuleType

import pytest

from l0.recording import body_decoding
from l0.recording.body_decoding import DamagedBodyError, UnknownEncodingError, body_decoder

BODY = b"data: one\n\ndata: two\n\n" * 20


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


ENCODINGS = {
    "": BODY,
    "identity": BODY,
    "gzip": gzip.compress(BODY),
    "X-GZIP": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "deflate, gzip": gzip.compress(zlib.compress(BODY)),
}


def decoded(encoding: str, data: bytes, size: int) -> bytes:
    """Return a body that arrives in reads of ``size`` bytes."""
    decode = body_decoder(encoding)
    return b"".join(decode(data[at : at + size]) for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoding_is_undone(encoding: str, size: int) -> None:
    assert decoded(encoding, ENCODINGS[encoding], size) == BODY


@pytest.mark.parametrize("size", [1, 2, 7])
def test_deflate_without_the_header_of_zlib_is_undone(size: int) -> None:
    assert decoded("deflate", raw(BODY), size) == BODY
    with pytest.raises(DamagedBodyError, match="incorrect header check"):
        decoded("gzip", raw(BODY), size)


def test_damage_is_one_error_whatever_the_package_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    class BrotliError(Exception):
        """The package's own error, which is no `ValueError`."""

    class Decompressor:
        def process(self, data: bytes) -> bytes:
            raise BrotliError("corrupt")

    package = ModuleType("brotli")
    monkeypatch.setattr(package, "Decompressor", Decompressor, raising=False)
    monkeypatch.setitem(sys.modules, "brotli", package)
    with pytest.raises(DamagedBodyError, match="BrotliError: corrupt"):
        decoded("br", b"x", 1)


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_an_encoding_of_a_package_is_undone_if_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    packages = body_decoding._BY_PACKAGE[encoding]
    for name, _ in packages:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnknownEncodingError, match=encoding):
        body_decoder(encoding)
    for name, kind in packages:
        package = ModuleType(name)
        setattr(package, kind, zlib.decompressobj)
        monkeypatch.setitem(sys.modules, name, package)
        assert decoded(encoding, zlib.compress(BODY), 7) == BODY
        assert decoded(f"{encoding}, gzip", gzip.compress(zlib.compress(BODY)), 7) == BODY
        monkeypatch.setitem(sys.modules, name, None)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(UnknownEncodingError, match="rot13"):
        body_decoder("gzip, rot13")
