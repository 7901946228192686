"""What attacks once found, each refused or answered since; and bombs that never went off.

A file that claims to be huge is read in a process whose memory is limited (RLIMIT_AS).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load as read_tensors, save as write_tensors

import fsm_gpt as fg
from fsm_gpt.errors import FileProblem, FsmGptError, InvalidArgument, UnsafeFile
from fsm_gpt.io.format import KEY, digest
from tests.fuzz import seeds


def signed(data: bytes, **changes: np.ndarray) -> bytes:
    """A chain file with other tensors and the checksum of a forger, who can compute it too."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    header.pop("sha256")
    tensors = {**read_tensors(data), **changes}
    header["sha256"] = digest(header, tensors)
    return write_tensors(tensors, {KEY: json.dumps(header)})


def test_a_depth_that_no_search_reaches(tmp_path: Path) -> None:
    """Printing went as many steps as the depth claims: half a minute for two billion."""
    data = seeds.explorations()[0]
    depth = read_tensors(data)["exploration.depth"].copy()
    depth[-1] = 2**31 - 1
    (tmp_path / "x").write_bytes(signed(data, **{"exploration.depth": depth}))
    with pytest.raises(FileProblem, match="deeper than there are windows"):
        fg.load_exploration(tmp_path / "x")


@pytest.mark.parametrize("temperature", [Fraction(1, 10**18), Fraction(1, 10**400)])
def test_a_temperature_whose_powers_would_fill_the_memory(temperature: Fraction) -> None:
    """Rationals to the power of 10^18 have 10^18 digits."""
    chain = fg.Chain([["1/4", "3/4"], ["1/2", "1/2"]])
    with pytest.raises(InvalidArgument, match="more than 400,000 bits"):
        chain.with_decoding(fg.Temperature(temperature))
    with pytest.raises(InvalidArgument, match="more than 400,000 bits"):
        chain.with_decoding(fg.Temperature(5e-324))
    hundredth = chain.with_decoding(fg.Temperature(Fraction(1, 100)))
    assert hundredth.matrix()[0, 0] == Fraction(1, 1 + 3**100)


@pytest.mark.parametrize(
    ("temperature", "row"),
    [(Fraction(1, 10**400), [0, 1]), (Fraction(10**400), [0.5, 0.5]), (5e-324, [0, 1])],
)
def test_a_temperature_beyond_the_floats(temperature: float, row: list[float]) -> None:
    """It became 0 (a division by it) or an OverflowError."""
    chain = fg.Chain([[0.25, 0.75], [0.5, 0.5]]).with_decoding(fg.Temperature(temperature))
    assert chain.matrix().tolist() == [row, [0.5, 0.5]]


def test_a_message_cannot_steer_a_terminal() -> None:
    """A name in a file may hold escape sequences; what is printed shows them."""
    said = str(FileProblem("the weights \x1b[2Jh.0\u202e\x00 are missing."))
    assert said == r"the weights \x1b[2Jh.0\u202e\x00 are missing."
    assert str(FsmGptError("ä plain ⏎ sentence.")) == "ä plain ⏎ sentence."


def test_an_activation_that_is_a_list(tmp_path: Path) -> None:
    """It was looked up in a dictionary, and lists cannot be."""
    home = seeds.as_folder_config(
        tmp_path, json.dumps({**seeds.GPT2, "activation_function": ["gelu"]}).encode()
    )
    with pytest.raises(FsmGptError):
        fg.load_model(home)


def test_a_table_without_rows_and_with_any_width(tmp_path: Path) -> None:
    """The divisors of the width were listed, one by one up to 2^40."""
    content = {"wte.weight": torch.zeros((0, 2**40)), "wpe.weight": torch.zeros((0, 2**40))}
    torch.save(content, tmp_path / "x")
    with pytest.raises(FileProblem, match=r"no matrix wte\.weight"):
        fg.load_model(tmp_path / "x", n_head=2)


@pytest.mark.parametrize("shape", [(), (4, 0), (0,)])
def test_an_embedding_without_rows(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Of no axis the last was taken; and zero was divided by two for ever."""
    data = seeds.gguf()[0]
    name = b"token_embd.weight"
    place = data.index(name) + len(name)
    start, rest = data[:place], data[place + 4 + 2 * 8 :]
    axes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    start = start.replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.others")
    (tmp_path / "x").write_bytes(start + axes + rest)
    with pytest.raises(FsmGptError):
        fg.capacity(tmp_path / "x")


def test_sizes_with_more_digits_than_python_prints(tmp_path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [2**39] * 2000, "data_offsets": [0, 0]}
    sizes = {"vocab_size": 2, "context": 3, "n_layer": 1, "n_head": 1, "n_embd": 1}
    for changed in ({}, {"context": 10**4000}):
        about = {"config": {**sizes, **changed}}
        header = json.dumps({"a": tensor, "__metadata__": {"fsm_gpt": json.dumps(about)}}).encode()
        (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header)
        if changed:
            with pytest.raises(FileProblem, match="does not say the sizes"):
                fg.capacity(tmp_path / "x")
        else:
            assert fg.capacity(tmp_path / "x").bits == 3


def test_a_reward_whose_square_is_no_float() -> None:
    """Its variance was infinite, with a warning of numpy."""
    chain = fg.Chain([[0.25, 0.75], [0.5, 0.5]])
    with pytest.raises(InvalidArgument, match=r"reward: a value is 3\.1e\+200"):
        fg.reward(chain, [[1, 3.1e200], [3, 5]])
    assert fg.reward(chain.exact(), [[1, 10**200], [3, 5]]).mean_per_token > 10**198
    assert fg.reward(chain, [[1, 1e139], [3, 5]], n=1000).variance_per_token > 0


@pytest.mark.parametrize("text", ["1e999999999999", "1E-99999999999", "1e٩٩٩٩٩٩٩٩٩", "1e1_000_000"])
def test_a_text_whose_exponent_is_written_out(text: str) -> None:
    """Python makes a rational of a billion digits of it."""
    chain = fg.Chain([[0.25, 0.75], [0.5, 0.5]])
    with pytest.raises(InvalidArgument, match="a finite number"):
        fg.reward(chain, [text, "1"], of="token")
    with pytest.raises(fg.errors.InvalidChain, match="exponent"):
        fg.Chain([[text, "1"], ["1", "0"]])


class Bomb:
    """What a pickle can do: here it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("where", ["vocabulary", "archive", "bare"])
def test_a_pickle_that_would_run_code(tmp_path: Path, where: str) -> None:
    place = tmp_path / "boom"
    program = pickle.dumps({"model": Bomb(place)}, protocol=2)
    path = tmp_path / "x"
    if where == "archive":
        path = seeds.as_archive(tmp_path, program)
    else:
        path.write_bytes(program)
    folder = seeds.as_folder_config(tmp_path, seeds.folder_configs()[0])
    what, how = (folder, {"vocabulary": path}) if where == "vocabulary" else (path, {})
    with pytest.raises(UnsafeFile):
        fg.load_model(what, **how)
    assert not place.exists()
    pickle.loads(program)
    assert place.exists(), "this pickle is no bomb, so the test shows nothing"


# ---- claims of great size, in a process with little memory ----


def _nested(left: bytes, right: bytes, depth: int) -> bytes:
    return left * depth + right * depth


def bombs(folder: Path) -> dict[str, Path]:
    """Small files that claim to be large, by the reader that they are for."""
    made: dict[str, bytes] = {}
    chain = seeds.chains()[0]
    made["chain header"] = (2**62).to_bytes(8, "little") + chain[8:]
    made["chain json"] = (10**6).to_bytes(8, "little") + _nested(b"[", b"]", 5 * 10**5)
    made["forged chain"] = chain.replace(b'"shape":[2,2]', b'"shape":[9,9]')
    made["forged chain context"] = _context_of(100_000)
    made["GGUF strings"] = seeds.gguf()[0].replace(
        (3).to_bytes(8, "little") + (5).to_bytes(8, "little"), (2**60).to_bytes(8, "little") * 2
    )
    made["vocabulary deep"] = _nested(b"[", b"]", 2 * 10**6)
    made["vocabulary memo"] = b"\x80\x02]r\xff\xff\xff\x7f."
    made["vocabulary ids"] = b'{"model": {"vocab": {"a": 4194303}}}'
    made["PRISM counts"] = b"999999999999999999 999999999999999999\n0 0 1\n"
    made["reward deep"] = _nested(b'{"a":', b"}", 10**6)
    made["archive claims"] = _claims(2**24)
    made["folder: config"] = json.dumps({**seeds.GPT2, "vocab_size": 2**24}).encode()
    made["pattern counts"] = b"((a{999}){999}){999}"
    made["pattern deep"] = b"(" * 499 + b"a" + b")" * 499
    paths = {}
    for k, (name, data) in enumerate(made.items()):
        paths[name] = folder / str(k)
        paths[name].write_bytes(data)
    return paths


def _context_of(length: int) -> bytes:
    """A chain that says that its contexts are so long, over one token."""
    data = seeds.chains()[0]
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    header.pop("sha256")
    header["states"] |= {"length": length, "shortest": length}
    tensors = read_tensors(data)
    header["sha256"] = digest(header, tensors)
    return write_tensors(tensors, {KEY: json.dumps(header)})


def _claims(vocab_size: int) -> bytes:
    """nanoGPT's checkpoint that says of itself that it has so many tokens."""
    buffer = io.BytesIO(seeds.archives()[0])
    content = torch.load(buffer, weights_only=True)
    content["model_args"]["vocab_size"] = vocab_size
    out = io.BytesIO()
    torch.save(content, out)
    assert zipfile.is_zipfile(out)
    return out.getvalue()


CHILD = """
import resource, sys, time
from pathlib import Path
import torch, fsm_gpt
from tests.fuzz.readers import READERS, attack, warm
folder = Path(sys.argv[1])
readers = {}
for entry in %r:
    readers[entry] = max((r for r in READERS if entry.startswith(r)), key=len)
for reader in sorted(set(readers.values())):
    warm(reader, folder)
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**29, now + 2**29))
for k, (entry, reader) in enumerate(readers.items()):
    begin = time.perf_counter()
    print(entry, attack(reader, (folder / str(k)).read_bytes(), folder), sep=": ", flush=True)
    assert time.perf_counter() - begin < 20, entry
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_no_claim_takes_memory_or_time(tmp_path: Path) -> None:
    """Half a gigabyte more than the program itself takes is enough to refuse any of them."""
    names = list(bombs(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", CHILD.replace("%r", repr(names)), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
    assert set(said) == set(names)
    assert {name for name, how in said.items() if how == "read"} <= {"pattern deep"}, said
