"""Hard cases of each type of drift: texts that must be reported, and texts that must not."""

import pytest

from l0.model.rule import Ending
from l0.rules.drift.drift_rule import Drift

OPENING = "The bridge was finished in 1901 and closed twice for repairs. It carries two tracks and a path. "
FORMAL = "The parties hereby agree to the following provisions; furthermore, the supplier shall deliver on time. "
CASUAL = "Yeah dude, gonna be awesome, lol, totally cool! "


def found(text: str) -> set[str]:
    check = Drift().check()
    return {violation.rule.removeprefix("drift.") for violation in (*check.feed(text), *check.finish(Ending()))}


DRIFTING = [
    ("meta_commentary", OPENING + "As an AI, I have no opinion on bridges."),
    ("meta_commentary", OPENING + "I\u2019m just a language model, so check this."),
    ("meta_commentary", OPENING + 'He said "stop". As an AI assistant, I stop.'),
    ("meta_commentary", OPENING + "Als KI-Modell kann ich das nicht sagen."),
    ("meta_commentary", OPENING + "Como IA, no puedo opinar."),
    ("repetition", OPENING * 3),
    ("repetition", OPENING + "and so on and so on " * 12),
    ("repetition", OPENING + "It was hoooooooooooooooooooot."),
    ("repetition", "```python\n" + "print(total_of_all)\n" * 7),
    ("entropy_spike", OPENING + "Xqj vbkz wqpt zzkh fjqx mvwb qkzj hxvq pwzk jbqv tzqx kvwj."),
    ("entropy_spike", OPENING + "Then мост 橋 جسر went γέφυρα over สะพาน the 다리 река fluss."),
    (
        "hedging",
        "Maybe so, or perhaps not. " * 2 + "I think it might possibly be, but I'm not sure. Who knows, perhaps. ",
    ),
    ("tone_shift", FORMAL + CASUAL),
    ("tone_shift", CASUAL + "Wow, super stuff, you guys! " + FORMAL + "Consequently, the claimant shall endeavour. "),
    ("format_collapse", '{"a": [1, 2], "b": this should be a number}'),
    ("format_collapse", '{"a": 1}\nThat is all that I found.'),
    ("format_collapse", '{\n  "a": "x",\n  and then some more words\n}'),
    ("format_collapse", OPENING + "<|im_end|>"),
    ("format_collapse", OPENING + "\nUser: And then?\nAssistant: Nothing."),
    ("format_collapse", "<a><b>1</b><c>2</c> and here is what I think about it\n"),
    ("markdown_collapse", "|a|b|\n|--|--|\n|1|2|3|4|5|\n|1|\n|2|\n"),
    ("markdown_collapse", "## A\n\ntext ## B text ## C text\n"),
    ("markdown_collapse", "**a\n\n**b\n\n**c\n\n**d\n"),
    ("markdown_collapse", "See [a](b and [c](d and [e](f now\n"),
]
NOT_DRIFTING = [
    ("meta_commentary", 'A bot would say "as an AI language model, I cannot" here.'),
    ("meta_commentary", OPENING + "\n> As an AI language model, I was quoted.\n"),
    ("meta_commentary", OPENING + "\n```\nprint('as an AI, I')\n```\n"),
    ("meta_commentary", OPENING + "As an AI researcher, I like bridges. As an AI startup we build them."),
    ("meta_commentary", "As a language model, I cannot walk over bridges."),
    ("meta_commentary", "<think>\nThe user asks about bridges, I should answer.\n</think>\n" + OPENING),
    ("meta_commentary", OPENING + "If the user asks for help, I help."),
    ("repetition", OPENING * 2),
    ("repetition", "Ha! Ha! Ha! Ha! Ha! Ha! " + OPENING),
    ("repetition", "The number is 11111111111111111111, or 0x" + "f" * 40 + ". " + OPENING),
    ("repetition", "}\n" * 20 + "---\n" * 20 + "|  |\n" * 20),
    ("repetition", "".join(f"Day {day}: rest, walk, eat and sleep well.\n" for day in range(9))),
    ("entropy_spike", OPENING + "The key is 9f2c1e7ab04d55e3c1f0a9be7712cd93aa01ff46, in hex."),
    ("entropy_spike", OPENING + r"So $\frac{x^2}{y_1} \leq \sqrt{z}$ and \(a^{b^c} \neq d\) hold."),
    ("entropy_spike", OPENING + "\n```\n%$#@ kjq x&&y||!z ~{}|<>\n```\n"),
    ("entropy_spike", OPENING + "In Greek it is γέφυρα, in Russian мост, and in Japanese 橋."),
    ("entropy_spike", "Мост построен в 1901 году. Он несёт два пути и дорожку для пешеходов."),
    ("entropy_spike", OPENING + "Die Strickstrumpfherbststurmangst und der Borschtsch."),
    ("hedging", "The results may suggest that the drug could help, though this might depend on the dose. " + OPENING),
    ("hedging", 'She said: "Maybe. Perhaps. Possibly. I think. I\'m not sure. I guess. Who knows." ' + OPENING),
    ("tone_shift", FORMAL * 3),
    ("tone_shift", FORMAL + f'The witness said: "{CASUAL}"'),
    ("tone_shift", OPENING + "Great! Let me know if you'd like more, and don't hesitate to ask!"),
    ("format_collapse", '{"a": "this is { not } the end, \\" nor this", "b": [true, null]}\n{"c": 1}\n'),
    ("format_collapse", "[1] Smith, Bridges of the north. [2] Jones, More bridges."),
    ("format_collapse", "User: Hello?\nAssistant: Hello.\nUser: Bye.\nAssistant: Bye.\n"),
    ("format_collapse", OPENING + "ChatML marks a turn with `<|im_start|>` and ends it with `<|im_end|>`."),
    ("format_collapse", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n"),
    ("markdown_collapse", "| a | b |\n|---|---|\n| `x | y` | 1 \\| 2 |\n| 3 | 4 |\n\nDone: a | b | c | d\n"),
    ("markdown_collapse", "**bold that\ngoes on** and **so\ndoes this**\n" * 3),
    ("markdown_collapse", "* * *\n\n***\n\n- - -\n\nf(**kwargs) and g(*args, **options) and 2**8\n"),
    (
        "markdown_collapse",
        '```python\n"""\nThis is a long text in a string, not code at all.\n## Title\n"""\n```\n',
    ),
    ("markdown_collapse", "1. One. Two. Three.\n2. In 1990. In 2000.\n"),
]


@pytest.mark.parametrize(("kind", "text"), DRIFTING, ids=lambda value: value[:40].replace("\n", " "))
def test_drift_is_found(kind: str, text: str) -> None:
    assert kind in found(text)


@pytest.mark.parametrize(("kind", "text"), NOT_DRIFTING, ids=lambda value: value[-40:].replace("\n", " "))
def test_drift_lookalike_is_not_reported(kind: str, text: str) -> None:
    assert kind not in found(text)


def test_drift_offset_is_the_start_of_the_phrase() -> None:
    text = OPENING + "And as an AI, I stop."
    (violation,) = (found for part in (text,) for found in Drift().check().feed(part + " "))
    assert text[violation.at :].startswith("as an AI")


def test_repetition_uses_the_repeats_setting() -> None:
    twice = OPENING * 2
    check = Drift(repeats=2).check()
    assert [violation.rule for violation in check.feed(twice)] == ["drift.repetition"]
