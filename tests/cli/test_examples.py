"""The examples of every help text, run as they stand in a folder that has the files they name."""

import pickle
import re
import shlex
import shutil
from pathlib import Path

import pytest

from fsm_gpt.chain import Chain
from fsm_gpt.gpt import GPT, GPTConfig, save_model
from fsm_gpt.io import save
from tests.cli.test_program import EVERY, command_of

#: The tokens of the model in ckpt.pt.
LETTERS = "01dehlorw"

#: Where an example would take long: less of the same.
SHORTER = {
    ("watch",): ["--steps", "0-2", "--seeds", "2"],
    ("estimate",): ["--tokens", "100", "--streams", "8"],
    ("demo",): ["--steps", "2"],
    ("report", "--text"): ["--steps", "2", "--context", "3"],
}


def examples() -> list[tuple[str, ...]]:
    found = []
    for words in EVERY:
        epilog = command_of(*words).epilog or ""
        text = epilog.partition("Example:")[2] or epilog.partition("Examples:")[2]
        joined = re.sub(r"\\\n\s*", " ", text)
        found += [
            tuple(shlex.split(line)[1:])
            for line in joined.splitlines()
            if line.strip().startswith("fsm-gpt ")
        ]
    return list(dict.fromkeys(found))


EXAMPLES = examples()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the examples name."""
    folder = tmp_path_factory.mktemp("examples")

    def write(name: str, vocabulary: str, context: int) -> None:
        sizes = {"n_layer": 1, "n_head": 1, "n_embd": 8}
        config = GPTConfig(vocab_size=len(vocabulary), context=context, **sizes)
        save_model(GPT(config, vocabulary=vocabulary), folder / name)

    write("model.safetensors", "01", 3)
    write("ckpt.pt", LETTERS, 2)
    # Each token mostly comes again: a chain that has slow structure to find.
    save(Chain([[0.95, 0.05], [0.05, 0.95]] * 4), folder / "chain.safetensors")
    for name in ("one", "other", "machine"):
        shutil.copy(folder / "chain.safetensors", folder / f"{name}.safetensors")
    for name in ("my.txt", "input.txt"):
        (folder / name).write_text("111101111011110\n")
    meta = {
        "vocab_size": len(LETTERS),
        "itos": dict(enumerate(LETTERS)),
        "stoi": {token: i for i, token in enumerate(LETTERS)},
    }
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta, protocol=2))
    return folder


def test_every_command_has_examples() -> None:
    assert {words[0] for words in EXAMPLES} == {words[0] for words in EVERY}


@pytest.mark.parametrize("typed", EXAMPLES, ids=" ".join)
def test_an_example_does_what_it_shows(
    fsm_gpt, files: Path, folder: Path, typed: tuple[str, ...]
) -> None:
    shutil.copytree(files, folder, dirs_exist_ok=True)
    said = fsm_gpt(*typed, *SHORTER.get(typed[:2], SHORTER.get(typed[:1], ())))
    assert said.code == 0, said.err
    assert said.out
