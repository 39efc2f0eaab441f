"""Answers with media, and uploads, through the real SDKs."""

import base64
import zlib
from typing import Any

import openai
import pytest

from l0.simulator.media import picture
from l0.simulator.server import Simulator
from l0.simulator.uploads import TRANSCRIPT
from l0.testing import simulator


def test_files_and_transcriptions_are_taken() -> None:
    with simulator() as sim, openai.OpenAI(base_url=sim.openai, api_key="k", max_retries=0) as client:
        file: Any = ("a.wav", b"\xff\r\n", "audio/wav")
        assert client.audio.transcriptions.create(model="m", file=file).text == TRANSCRIPT
        kept = client.files.create(file=file, purpose="assistants")
        assert (kept.filename, kept.bytes, kept.purpose) == ("a.wav", 3, "assistants")
        with pytest.raises(openai.BadRequestError, match="a form with a file"):
            client.post("/files", cast_to=object, body={})


def test_an_answer_speaks_only_if_it_is_asked_to(sim: Simulator) -> None:
    with openai.OpenAI(base_url=sim.openai, api_key="k", max_retries=0) as client:
        asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        assert client.chat.completions.create(**asked).choices[0].message.audio is None
        spoken = client.chat.completions.create(modalities=["text", "audio"], **asked).choices[0].message
        assert spoken.content is None
        assert spoken.audio is not None
        assert base64.b64decode(spoken.audio.data)


def test_pictures_are_png_and_differ() -> None:
    data = [base64.b64decode(picture(number)) for number in range(3)]
    assert len(set(data)) == 3
    for one in data:
        at = one.index(b"IDAT")
        assert len(zlib.decompress(one[at + 4 : at + 4 + int.from_bytes(one[at - 4 : at])])) == 16 * 17
