"""Compiled constructors: equality with the SDK's objects, values left to the SDK, self-tests and the report.

A shape is a model class with a set of keys. It is proven once the self-test of its constructor has passed: on its first
use the result is compared with the SDK's. From then on the constructor is used without a comparison.
"""

import dataclasses
import subprocess
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from makers import python_calls

from l0.fastpath.comparison import difference
from l0.fastpath.constructors import Constructors
from l0.fastpath.constructors.compiled_constructors import MAX_TYPES
from l0.fastpath.constructors.shape_table import MAX_SHAPES

models = pytest.importorskip("openai._models")
pydantic = pytest.importorskip("pydantic", minversion="2")


class Text(models.BaseModel):
    type: Literal["text"]
    text: str
    note: Optional[str] = None  # noqa: UP045  as the SDKs write it


class Tool(models.BaseModel):
    type: Literal["tool"]
    wire_name: str = pydantic.Field(alias="wire")
    score: Optional[float] = None  # noqa: UP045


Part = Annotated[Union[Text, Tool], models.PropertyInfo(discriminator="type")]  # noqa: UP007


class Message(models.BaseModel):
    id: str
    parts: list[Part]
    first: Text
    count: Optional[int] = None  # noqa: UP045


TEXT = {"type": "text", "text": "hello"}
TOOL = {"type": "tool", "wire": "w", "score": 1, "extra": [1]}
MESSAGE = {"id": "m", "parts": [TEXT, TOOL], "first": TEXT, "count": 2, "more": {"a": 1}}


@pytest.fixture
def constructors() -> Constructors:
    return Constructors(models)


def doctored(**changes: Any) -> types.ModuleType:
    """Return the SDK's module with some members replaced."""
    module = types.ModuleType("doctored")
    vars(module).update({**vars(models), **changes})
    return module


def by_sdk(type_: object, data: object) -> Any:
    return models.construct_type(type_=type_, value=data)


def outcome(build: Callable[[Any], Any], data: Any) -> Any:
    try:
        return build(data)
    except Exception as error:
        return [type(error).__name__, str(error)]


def unlike_the_sdk(constructors: Constructors, type_: object, data: Any) -> list[str]:
    """Return the differences from the SDK's object, before and after the self-test, and why classes are off."""
    builder = constructors.builder(type_)
    if builder is None:
        return ["left to the SDK"]
    expected = by_sdk(type_, data)
    first, proven = difference(builder(data), expected), difference(builder(data), expected)
    return [wrong for wrong in (first, proven, *constructors.report().switched_off.values()) if wrong is not None]


class TestWhatIsBuilt:
    @pytest.mark.parametrize(
        "data", [MESSAGE, {}, {"id": None}, {**MESSAGE, "parts": None}, {"first": [TEXT]}, {"parts": [1]}]
    )
    def test_class_constructor_equals_the_sdk(self, constructors: Constructors, data: Any) -> None:
        assert unlike_the_sdk(constructors, Message, data) == []

    @pytest.mark.parametrize("data", [TEXT, TOOL, {"type": "new"}, {"type": "text"}, {"type": "tool", "wire": 5}, {}])
    def test_union_constructor_equals_the_sdk(self, constructors: Constructors, data: Any) -> None:
        assert unlike_the_sdk(constructors, Part, data) == []

    @pytest.mark.parametrize("data", [None, "text", 3, [], [MESSAGE], ["id", "parts"], True])
    @pytest.mark.parametrize("type_", [Message, Part])
    def test_data_that_is_not_an_object_equals_the_sdk(
        self, constructors: Constructors, type_: object, data: Any
    ) -> None:
        assert unlike_the_sdk(constructors, type_, data) == []

    def test_extras_count_as_set_only_with_validation(self, constructors: Constructors) -> None:
        data = {**TEXT, "extra": 1}
        class_builder, union_builder = constructors.builder(Text), constructors.builder(Part)
        assert class_builder is not None
        assert union_builder is not None
        # The SDK constructs a class without validation, and validates a union to choose the variant.
        assert class_builder(data).model_fields_set == {"type", "text"}
        assert union_builder(data).model_fields_set == {"type", "text", "extra"}

    def test_wire_key_of_an_aliased_field_is_also_an_extra(self, constructors: Constructors) -> None:
        builder = constructors.builder(Tool)
        assert builder is not None
        assert builder(TOOL).model_extra == {"wire": "w", "extra": [1]}
        assert unlike_the_sdk(constructors, Tool, {**TOOL, "wire_name": "shadowed"}) == []
        assert unlike_the_sdk(constructors, Part, {**TOOL, "wire_name": "shadowed"}) == []

    def test_proven_shape_does_not_call_the_sdk(self) -> None:
        calls: list[object] = []

        def construct_type(**arguments: Any) -> Any:
            calls.append(arguments["value"])
            return models.construct_type(**arguments)

        builder = Constructors(doctored(construct_type=construct_type)).builder(Message)
        assert builder is not None
        builder(MESSAGE)
        assert MESSAGE in calls
        calls.clear()
        builder({**MESSAGE, "id": "another"})
        assert calls == []

    def test_mutable_default_is_created_for_each_object(self, constructors: Constructors) -> None:
        class Defaults(models.BaseModel):
            tags: list[str] = []  # noqa: RUF012  pydantic copies it
            made: dict[str, int] = pydantic.Field(default_factory=dict)
            number: float = float("inf")

        builder = constructors.builder(Defaults)
        assert builder is not None
        assert unlike_the_sdk(constructors, Defaults, {"x": 1}) == []
        assert unlike_the_sdk(constructors, Defaults, {"tags": None, "number": None}) == []
        assert builder({"x": 1}).tags is not builder({"x": 1}).tags

    def test_recursive_class(self, constructors: Constructors) -> None:
        data = {"left": {"left": {"name": "x"}}, "name": "y", "rest": [{"rest": []}]}
        assert unlike_the_sdk(constructors, Tree, data) == []


class Tree(models.BaseModel):
    name: Optional[str] = None  # noqa: UP045
    left: Optional["Tree"] = None
    rest: Optional[list["Tree"]] = None  # noqa: UP045


class Details(models.BaseModel):
    cached: int
    written: int


class Usage(models.BaseModel):
    total: int
    details: Details


class Answer(models.BaseModel):
    usage: Optional[Usage] = None  # noqa: UP045
    label: Union[str, Usage, None] = None  # noqa: UP007
    part: Optional[Part] = None  # noqa: UP045
    parts: Optional[list[Part]] = None  # noqa: UP045


class Finished(models.BaseModel):
    type: Literal["finished"]
    answer: Answer
    usage: Usage


Event = Annotated[Union[Text, Finished], models.PropertyInfo(discriminator="type")]  # noqa: UP007

OLD_USAGE = {"total": 2, "details": {"cached": 1}}
OLD = {"type": "finished", "answer": {"usage": OLD_USAGE}, "usage": OLD_USAGE}


class TestServersOlderThanTheSdk:
    """A required key is missing, at any level: pydantic rejects the data, and the SDK fills in what there is."""

    @pytest.fixture(autouse=True)
    def _selects_the_variant(self) -> None:
        if not isinstance(by_sdk(Event, OLD), Finished):
            pytest.skip("an SDK of that age builds another variant of such data: L0 leaves it to the SDK")

    @pytest.mark.parametrize(
        "answer",
        [
            {"usage": OLD_USAGE},
            {"usage": {"total": "2", "details": {"cached": 1}}},
            {"usage": {"details": None}},
            {"usage": [OLD_USAGE]},
            {"usage": {**OLD_USAGE, "cls": 1}},
            {"label": OLD_USAGE},
            {"label": [OLD_USAGE]},
            {"part": {"type": "text"}},
            {"part": {"type": "tool"}},
            {"part": {"type": "new"}},
            {"parts": [TEXT, {"type": "tool"}, {"type": "text"}]},
        ],
    )
    def test_object_equals_the_sdk(self, constructors: Constructors, answer: Any) -> None:
        for known in ({"usage": OLD_USAGE}, answer):  # after an object that taught the constructors, too
            assert unlike_the_sdk(constructors, Answer, known) == []
            assert unlike_the_sdk(constructors, Event, {**OLD, "answer": known}) == []

    def test_neither_the_sdk_nor_pydantic_is_asked_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []

        def construct_type(**arguments: Any) -> Any:
            asked.append(arguments["value"])
            return models.construct_type(**arguments)

        constructors = Constructors(doctored(construct_type=construct_type))
        builder = constructors.builder(Event)
        assert builder is not None
        builder(OLD)
        assert OLD in asked
        asked.clear()
        monkeypatch.setattr(Finished, "model_validate", asked.append)
        left = constructors.left_to_sdk
        again = builder({**OLD, "usage": {"total": 3, "details": {"cached": 2}}})
        assert (asked, constructors.left_to_sdk) == ([], left)
        assert (again.usage.total, again.answer.usage.details.cached) == (3, 1)

    def test_complete_object_is_valid_after_a_rejected_one(self, constructors: Constructors) -> None:
        complete = {"total": 2, "details": {"cached": 1, "written": 0}, "extra": 1}
        assert unlike_the_sdk(constructors, Event, OLD) == []
        assert unlike_the_sdk(constructors, Event, {**OLD, "answer": {"usage": complete}, "usage": complete}) == []

    def test_mismatch_leaves_these_values_to_the_sdk(self) -> None:
        def construct_field(*, value: Any, field: Any, key: str) -> Any:
            return "another rule" if key == "usage" else models._construct_field(value=value, field=field, key=key)

        builder = Constructors(doctored(_construct_field=construct_field)).builder(Answer)
        assert builder is not None
        builder({"usage": None})  # proves the shape without such a value
        assert [builder({"usage": OLD_USAGE}).usage, builder({"usage": OLD_USAGE}).usage] == ["another rule"] * 2


class TestSteppingAside:
    @pytest.mark.parametrize("type_", [str, object, dict, list[Message], Union[str, int], Union[Text, str], None])  # noqa: UP007
    def test_unsupported_types_are_left_to_the_sdk(self, constructors: Constructors, type_: object) -> None:
        assert constructors.builder(type_) is None
        assert len(constructors.report().unsupported) == 1

    def test_union_without_a_discriminator_is_unsupported(self, constructors: Constructors) -> None:
        class Twin(models.BaseModel):
            type: Literal["text"]

        assert constructors.builder(Union[Text, Twin]) is None  # noqa: UP007
        assert "no field discriminates" in next(iter(constructors.report().unsupported.values()))

    def test_customised_classes_are_unsupported(self, constructors: Constructors) -> None:
        class Private(models.BaseModel):
            _secret: int = 1

        class Own(models.BaseModel):
            @classmethod
            def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Any:
                return super().construct(_fields_set, **values)

        class Typed(models.BaseModel):
            __pydantic_extra__: dict[str, Text]

        class Closed(models.BaseModel):
            model_config = pydantic.ConfigDict(extra="ignore")

        assert [constructors.builder(model) for model in (Private, Own, Typed, Closed)] == [None] * 4
        assert len(constructors.report().unsupported) == 4

    def test_customised_class_inside_another_class(self, constructors: Constructors) -> None:
        class Upper(models.BaseModel):
            type: Literal["upper"]
            text: str

            @pydantic.field_validator("text")
            @classmethod
            def _upper(cls, text: str) -> str:
                return text.upper()

        class Holder(models.BaseModel):
            one: Upper
            some: Optional[Upper] = None  # noqa: UP045

        upper = {"type": "upper", "text": "x"}
        assert unlike_the_sdk(constructors, Holder, {"one": upper, "some": upper}) == []
        assert unlike_the_sdk(constructors, Union[Text, Upper], upper) == []  # noqa: UP007
        assert constructors.report().values_left_to_sdk > 0

    def test_constraints_are_left_to_pydantic(self, constructors: Constructors) -> None:
        class Bounded(models.BaseModel):
            short: Union[Annotated[str, pydantic.Field(max_length=2)], int]  # noqa: UP007
            shout: Optional[Annotated[str, pydantic.AfterValidator(str.upper)]] = None  # noqa: UP045

        assert unlike_the_sdk(constructors, Bounded, {"short": "long", "shout": "x"}) == []
        assert unlike_the_sdk(constructors, Bounded, {"short": "ok", "shout": None}) == []

    @pytest.mark.parametrize("key", ["_fields_set", "_BaseModel__cls", "cls", "self", "values", "\ud800"])
    def test_keys_that_cannot_be_passed_as_keyword_arguments(self, constructors: Constructors, key: str) -> None:
        builder = constructors.builder(Text)
        assert builder is not None
        for data in ({**TEXT, key: ["a"]}, {key: set()}):
            assert difference(outcome(builder, data), outcome(lambda value: by_sdk(Text, value), data)) is None

    def test_sdk_exceptions_have_no_context_of_l0(self, constructors: Constructors) -> None:
        builder = constructors.builder(Text)
        assert builder is not None
        with pytest.raises(TypeError) as caught:
            builder({"_BaseModel__cls": 1, "text": "x"})
        assert caught.value.__context__ is None

    def test_sdk_builds_shapes_beyond_the_limit(self, constructors: Constructors) -> None:
        builder = constructors.builder(Text)
        assert builder is not None
        for number in range(MAX_SHAPES + 10):
            data = {**TEXT, f"extra{number}": 1}
            assert difference(builder(data), by_sdk(Text, data)) is None
        assert constructors.report().shapes == MAX_SHAPES
        assert constructors.report().objects_left_to_sdk == 10

    @pytest.mark.parametrize("missing", ["construct_type", "_construct_field", "BaseModel", "field_get_default"])
    def test_sdk_with_missing_members_is_unsupported(self, missing: str) -> None:
        module = doctored()
        delattr(module, missing)
        constructors = Constructors(module)
        assert constructors.builder(Message) is None
        assert missing in constructors.report().unsupported["*"]

    def test_pydantic_1_is_unsupported(self) -> None:
        constructors = Constructors(doctored(pydantic=types.SimpleNamespace(VERSION="1.10.27")))
        assert constructors.builder(Message) is None
        assert constructors.report().unsupported == {"*": "pydantic 2 is required, found 1.10.27"}


class TestTheSelfTest:
    def test_mismatch_switches_the_class_off_and_returns_the_sdk_object(self) -> None:
        def construct_type(*, type_: Any, value: Any) -> Any:
            built = models.construct_type(type_=type_, value=value)
            if type_ is Text:
                built.__dict__["text"] = "as of tomorrow"
            return built

        constructors = Constructors(doctored(construct_type=construct_type))
        builder = constructors.builder(Text)
        assert builder is not None
        assert [builder(TEXT).text, builder({**TEXT, "extra": 1}).text] == ["as of tomorrow"] * 2
        assert constructors.report().shapes == 0
        ((name, reason),) = constructors.report().switched_off.items()
        assert name.endswith(".Text")
        assert reason == ".text has another value (type str)"

    def test_mismatch_below_a_union(self, constructors: Constructors, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Text, "model_validate", classmethod(lambda _cls, data: Tool.construct(**data)))
        builder = constructors.builder(Part)
        assert builder is not None
        builder(TEXT)
        assert [name.rpartition(".")[2] for name in constructors.report().switched_off] == ["Text"]
        assert difference(builder(TEXT), by_sdk(Part, TEXT)) is None

    def test_rejection_by_the_sdk_is_a_mismatch(
        self, constructors: Constructors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_cls: type, _data: Any) -> Any:
            raise ValueError

        monkeypatch.setattr(Text, "model_validate", classmethod(refuse))
        builder = constructors.builder(Part)
        assert builder is not None
        assert difference(builder(TEXT), by_sdk(Part, TEXT)) is None
        assert "ValueError" in "".join(constructors.report().switched_off.values())

    def test_handling_of_an_invalid_union_variant_is_self_tested(self) -> None:
        def construct_type(*, type_: Any, value: Any) -> Any:
            return "another rule" if type_ is Part else models.construct_type(type_=type_, value=value)

        constructors = Constructors(doctored(construct_type=construct_type))
        builder = constructors.builder(Part)
        assert builder is not None
        assert [builder({"type": "text"}), builder({"type": "text"})] == ["another rule"] * 2
        assert len(constructors.report().switched_off) == 1

    def test_compilation_error_does_not_lose_an_event(
        self, constructors: Constructors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_arguments: Any) -> Any:
            raise SyntaxError("nobody thought of this")

        monkeypatch.setattr("l0.fastpath.constructors.sdk_tables.compile_constructed", fail)
        builder = constructors.builder(Message)
        assert builder is not None
        assert difference(builder(MESSAGE), by_sdk(Message, MESSAGE)) is None
        assert "nobody thought of this" in "".join(constructors.report().switched_off.values())


class TestManners:
    def test_builder_is_cached(self, constructors: Constructors) -> None:
        assert constructors.builder(Message) is constructors.builder(Message)
        assert constructors.builder(Part) is constructors.builder(Part)

    def test_builder_depends_on_the_order_of_variants(self, constructors: Constructors) -> None:
        one, other = Union[Text, Tool], Union[Tool, Text]  # noqa: UP007
        for union in (one, other):
            builder = constructors.builder(union)
            assert builder is not None
            assert type(builder({"type": "new"})) is type(by_sdk(union, {"type": "new"}))

    def test_builder_cache_is_bounded(self, constructors: Constructors) -> None:
        for number in range(MAX_TYPES + 5):
            assert constructors.builder(type(f"Made{number}", (), {})) is None
        assert len(constructors.report().unsupported) == MAX_TYPES
        assert constructors.builder(Message) is None

    def test_report_is_a_snapshot(self, constructors: Constructors) -> None:
        before = constructors.report()
        builder = constructors.builder(Message)
        assert builder is not None
        builder(MESSAGE)
        assert (before.shapes, before.classes) == (0, 0)
        after = constructors.report()
        assert after.shapes > after.classes > 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            after.shapes = 0  # type: ignore[misc]

    def test_threads_share_the_constructors(self, constructors: Constructors) -> None:
        builder = constructors.builder(Message)
        assert builder is not None
        data = [{**MESSAGE, f"extra{number % 5}": number} for number in range(200)]
        with ThreadPoolExecutor(8) as pool:
            built = list(pool.map(builder, data))
        assert [difference(made, by_sdk(Message, source)) for made, source in zip(built, data, strict=True)] == [
            None
        ] * 200
        assert constructors.report().switched_off == {}

    def test_construct_does_not_import_an_sdk(self) -> None:
        sdks = "{'openai', 'anthropic', 'pydantic'}"
        code = f"import sys, l0.fastpath.constructors, l0.wire.json_decode; print(sorted({sdks} & {{*sys.modules}}))"
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert shown.stdout.strip() == "[]"


def test_first_use_of_a_large_object_proves_only_a_part_of_its_lists(constructors: Constructors) -> None:
    """The first use of an object with 4,000 parts makes less than 2,000 calls more than the next one: the self-test
    does not build and compare each part again at every level above it."""
    build: Any = constructors.builder(Message)
    many = {**MESSAGE, "parts": [TEXT, TOOL] * 2_000}
    (first, _), (again, _) = python_calls(lambda: build(many)), python_calls(lambda: build(many))
    assert first < again + 2_000
    assert unlike_the_sdk(Constructors(models), Message, many) == []


def test_a_shape_that_comes_late_in_a_long_list_is_proven_too(constructors: Constructors) -> None:
    odd = {"type": "tool", "wire": "w", "later": 1}
    many = {**MESSAGE, "parts": [TEXT] * 100 + [odd]}
    assert unlike_the_sdk(constructors, Message, many) == []


@pytest.mark.parametrize("parts", [[TEXT] * 100 + ["no part"], [["a"] * 100] * 100, [TEXT] * 100 + [None]])
def test_odd_parts_of_a_long_list_equal_the_sdk(constructors: Constructors, parts: list[Any]) -> None:
    assert unlike_the_sdk(constructors, Message, {**MESSAGE, "parts": parts}) == []
