"""The checks of docs/exercises.md accept the solution and refuse the mistakes that learners make."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "exercises"
PAGE = (ROOT / "docs" / "exercises.md").read_text(encoding="utf-8")
SOLUTION = (FOLDER / "solution.py").read_text(encoding="utf-8")

MISTAKES = {  # what is wrong, the step's keyword, the right text and the wrong one
    "no scale": ("attention", " / math.sqrt(query.shape[-1])", ""),
    "scale by d instead of its root": ("attention", "/ math.sqrt(query.shape[-1])", "/ query.shape[-1]"),
    "softmax over the queries": ("attention", "scores.softmax(dim=-1)", "scores.softmax(dim=-2)"),
    "mask the wrong way round": ("attention", "scores.masked_fill(~mask", "scores.masked_fill(mask"),
    "mask ignored": ("attention", "if mask is not None:", "if False:"),
    "weights masked after the softmax": ("attention", 'masked_fill(~mask, float("-inf"))\n    weights', "masked_fill(~mask, 0)\n    weights"),
    "mask transposed": ("mask", ".tril()", ".triu()"),
    "own position hidden": ("mask", ".tril()", ".tril(-1)"),
    "padding mask without the dimensions of heads and queries": ("mask", "[:, None, None, :]", ""),
    "padding mask inverted": ("mask", "(ids != PAD)", "(ids == PAD)"),
    "frequencies not shared by sine and cosine": ("positions", "angle.cos()", "(position / 10000 ** ((even + 1) / width)).cos()"),
    "sines first, cosines after": (
        "positions",
        "table[:, 0::2] = angle.sin()\n    table[:, 1::2]",
        "table[:, : width // 2] = angle.sin()\n    table[:, width // 2 :]",
    ),
    "base 1000": ("positions", "10000 **", "1000 **"),
    "heads not joined in order": ("multihead", "heads.transpose(1, 2).flatten(2)", "heads.reshape(states.shape)"),
    "heads split across positions": (
        "multihead",
        "view(B, T, self.heads, D // self.heads).transpose(1, 2)",
        "view(B, self.heads, T, D // self.heads)",
    ),
    "keys from the states": ("multihead", "self.split(self.key(memory))", "self.split(self.key(states))"),
    "no output projection": ("multihead", "self.output(heads.transpose(1, 2).flatten(2))", "heads.transpose(1, 2).flatten(2)"),
    "scale of the whole width": ("multihead", "attention(query, key, value, mask)  #", "attention(query / self.heads**0.5, key, value, mask)  #"),
    "norm before the sublayer": (
        "encoder",
        "self.attention_norm(states + self.dropout(self.attention(states, states, mask)))\n        return self.feedforward",
        "states + self.attention(*2 * (self.attention_norm(states),), mask)\n        return self.feedforward",
    ),
    "no residual": ("encoder", "states + self.dropout(self.attention(states, states, mask))", "self.dropout(self.attention(states, states, mask))"),
    "no ReLU": ("encoder", "self.inner(states).relu()", "self.inner(states)"),
    "no dropout": ("encoder", "nn.Dropout(dropout)", "nn.Identity()"),
    "mask not passed on": ("encoder", "self.attention(states, states, mask)", "self.attention(states, states)"),
    "decoder sees the future": ("decoder", "self.attention(states, states, causal)", "self.attention(states, states)"),
    "decoder without the memory's mask": ("decoder", "self.cross(states, memory, memory_mask)", "self.cross(states, memory)"),
    "decoder without the memory": ("decoder", "self.cross(states, memory, memory_mask)", "states"),
    "embeddings not scaled": ("decoder", "self.embedding(ids) * math.sqrt(width)", "self.embedding(ids)"),
    "no positions": ("decoder", " + positions(ids.shape[1], width)", ""),
    "smoothing over V - 1": ("loss", "smoothing / logs.shape[-1])", "smoothing / (logs.shape[-1] - 1))"),
    "smoothing not on the label": ("loss", "target.scatter_add_", "target.scatter_"),
    "padding counted": ("loss", "real = labels != PAD", "real = labels > -1"),
    "sum instead of mean": ("loss", ".sum(dim=-1).mean()", ".sum()"),
    "softmax without logarithm": ("loss", "log_softmax", "softmax"),
    "labels as the decoder's input": ("update", "smoothed_loss(model(source, shift_right(labels))", "smoothed_loss(model(source, labels)"),
    "shifted left": ("update", "torch.cat([torch.full_like(labels[:, :1], BOS), labels[:, :-1]], dim=1)", "labels.roll(-1, 1)"),
    "warm-up without its power": ("update", "warmup**-1.5", "warmup**-1"),
    "rate not set": ("update", 'group["lr"] = rate', "pass"),
    "gradients add up": ("update", "optimizer.zero_grad()", "pass"),
    "no dropout in training": ("update", "model.train()", "pass"),
    "length penalty omitted": ("beam", "return ((5 + length) / 6) ** alpha", "return 1.0"),
    "score not divided": ("beam", "total / length_penalty(length, alpha)", "total"),
    "end mark not counted": ("beam", "total / length_penalty(length, alpha)", "total / length_penalty(length - 1, alpha)"),
    "begin mark returned": ("beam", "hypotheses[row, 1:].tolist()", "hypotheses[row].tolist()"),
    "only the best hypothesis goes on": ("beam", "len(going) < beam", "len(going) < 1"),
    "log-probabilities of the last token alone": ("beam", "(totals[:, None] + logs)", "(0 * totals[:, None] + logs)"),
    "ended hypotheses narrow the beam": ("beam", "topk(min(2 * beam", "topk(min(beam"),
    "any ending is complete": ("beam", "token == EOS and rank < beam", "token == EOS"),
    "nothing returned at the limit": ("beam", "if not complete:", "if False:"),
    "worst first": ("beam", "-hypothesis[1]", "hypothesis[1]"),
}


def module(name: str, text: str) -> types.ModuleType:
    made = types.ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), made.__dict__)
    return made


@pytest.fixture(scope="module")
def checks() -> types.ModuleType:
    """docs/exercises/test_steps.py, whose `mine` is the module to be checked."""
    spec = importlib.util.spec_from_file_location("steps", FOLDER / "test_steps.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "my_transformer", module("my_transformer", SOLUTION))
        patch.setitem(sys.modules, "steps", steps := importlib.util.module_from_spec(spec))
        spec.loader.exec_module(steps)
        yield steps


def named(checks: types.ModuleType, keyword: str) -> list:
    found = [check for name, check in vars(checks).items() if name.startswith("test_") and keyword in name]
    assert found, keyword
    return found


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_fails_the_checks_of_its_step(checks, monkeypatch, mistake):
    keyword, right, wrong = MISTAKES[mistake]
    assert right in SOLUTION
    monkeypatch.setattr(checks, "mine", module("my_transformer", SOLUTION.replace(right, wrong)))
    failed = []
    for check in named(checks, keyword):
        try:
            check()
        except (AssertionError, IndexError, RuntimeError) as error:
            failed.append(error)
    assert failed, f"{mistake}: no check of -k {keyword} notices"


def test_the_solution_passes_and_the_keywords_of_the_page_divide_the_checks(checks, tmp_path):
    keywords = re.findall(r"`-k (\w+)`", PAGE)
    steps = [check for keyword in keywords for check in named(checks, keyword)]
    assert len(keywords) == 9 and sorted(map(id, steps)) == sorted(map(id, named(checks, "")))
    shutil.copy(FOLDER / "test_steps.py", tmp_path)
    shutil.copy(FOLDER / "solution.py", tmp_path / "my_transformer.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_steps.py", "-k", " or ".join(keywords)]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0 and f"{len(steps)} passed" in done.stdout, done.stdout


def test_the_skeleton_fails_each_check_for_what_is_not_written_yet(checks, monkeypatch):
    monkeypatch.setattr(checks, "mine", module("my_transformer", (FOLDER / "my_transformer.py").read_text(encoding="utf-8")))
    for check in named(checks, ""):
        with pytest.raises(NotImplementedError):
            check()


def test_skeleton_and_solution_have_the_same_signatures():
    def signatures(text: str) -> dict:
        found = {}
        for name, thing in vars(module("either", text)).items():
            if getattr(thing, "__module__", None) == "either":
                members = vars(thing).items() if inspect.isclass(thing) else [("", thing)]
                found |= {f"{name}.{member}": str(inspect.signature(each)) for member, each in members if inspect.isfunction(each)}
        return found

    skeleton, solution = signatures((FOLDER / "my_transformer.py").read_text(encoding="utf-8")), signatures(SOLUTION)
    assert len(skeleton) > 15 and skeleton.items() <= solution.items()
    assert {name.split(".")[1] for name in solution.keys() - skeleton.keys()} == {"split", "embed"}


def test_the_page_names_what_there_is():
    for name in re.findall(r"^(?:def|class) (\w+)", PAGE, re.MULTILINE):
        assert re.search(rf"^(def|class) {name}\b", SOLUTION, re.MULTILINE), name
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    for path in re.findall(r"`(translate/[\w/]+(?:\.py)?)`", PAGE):
        assert (ROOT / path).exists(), path


@pytest.mark.filterwarnings("ignore:the hypothesis has")  # what it writes after three steps is noise
def test_the_solution_trains_and_translates(monkeypatch, capsys):
    from translate.phrasebook import pairs

    monkeypatch.setitem(sys.modules, "my_transformer", module("my_transformer", SOLUTION))
    script = module("train_mine", (FOLDER / "train_mine.py").read_text(encoding="utf-8"))
    script.pairs = lambda split: pairs(split)[:6000]  # enough for its vocabulary
    script.main(["--steps", "3", "--sentences", "2"])
    printed = capsys.readouterr().out
    assert printed.count("reference: ") == 2 and re.search(r"BLEU \d+\.\d \(nrefs:1\|", printed)
