"""`import translate`: what it offers, what it costs, and that its functions do what the commands do."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from importlib import metadata

import pytest
import sacrebleu

import translate
from tests.conftest import ROOT, tiny_config
from translate.errors import UserError


def python(code: str, *words: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_loads_nothing_else():
    code = "import sys; before = set(sys.modules); import translate; print(*sorted(set(sys.modules) - before))"
    loaded = set(python(code).split())
    assert loaded - {name for name in loaded if name.split(".")[0] in sys.stdlib_module_names} == {"translate"}


@pytest.mark.parametrize("name", ["Config", "ModelConfig", "UserError", "load_recipe", "__version__"])
def test_what_needs_no_torch_loads_none(name):
    assert python(f"import sys; from translate import {name}; print('torch' in sys.modules)") == "False\n"


def test_its_names():
    assert sorted(translate.__all__) == translate.__all__
    for name in translate.__all__:
        assert getattr(translate, name) is getattr(translate, name)
    assert {*translate.__all__, "__file__", "errors"} <= set(dir(translate))
    assert translate.__version__ == metadata.version("translate-nmt")
    with pytest.raises(AttributeError, match="^module 'translate' has no attribute 'Translater'$"):
        _ = translate.Translater
    with pytest.raises(ImportError, match="cannot import name 'Translater'"):
        from translate import Translater  # noqa: F401


def test_type_checkers_see_the_same_names_in_the_same_places():
    tree = ast.parse((ROOT / "translate" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {node.names[0].asname: node.module for node in block.body if isinstance(node, ast.ImportFrom)}
    assert imported == translate._MODULES and set(imported) | {"__version__"} == set(translate.__all__)
    assert (ROOT / "translate" / "py.typed").exists()


TYPED = """
from pathlib import Path
from typing import Any
from translate import Config, ModelConfig, Transformer, Translation, Translator, UserError, __version__, evaluate, load_recipe, score, tokens, train

with Translator.load(Path("runs/x"), fork=True) as translator:
    one: str = translator.translate("Hallo.")
    many: list[str] = translator.translate(["Hallo."], beam=4, length_penalty=0.5, progress=True)
    result: Translation = translator.translate("Hallo.", scores=True, n_best=2)
    results: list[Translation] = translator.translate((line for line in many), scores=True, progress=lambda done, total: print(done / total))
    best: tuple[str, float] = result.alternatives[0]
    for each in translator.translate_stream(many, sample=True, seed=3):
        number: int = each.number
config: Config = load_recipe("quickstart", "model=tiny")
report: dict[str, Any] = train(config)
scores = score(many, many)
pieces: list[dict[str, Any]] = list(tokens(Path("runs/x"), many, target=True))
version: str = __version__
"""
WRONG = [
    ('Translator.load("x").translate("Hallo.", beams=2)', "beams"),
    ('Translator.load("x").translate("Hallo.", beam="2")', "No overload variant"),
    ('number: int = Translator.load("x").translate("Hallo.")', 'variable has type "int"'),
    ('Translator.load("x").translate([1])', 'expected "str"'),
    ("train(3)", "train"),
]


def test_type_checkers_understand_it(tmp_path):
    """Other packages are left out, which would take mypy most of a minute."""
    pytest.importorskip("mypy")
    (tmp_path / "right.py").write_text(TYPED, encoding="utf-8")
    head = "from translate import Translator, train\n"
    (tmp_path / "wrong.py").write_text(head + "".join(f"{line}\n" for line, _ in WRONG), encoding="utf-8")
    libraries = "torch numpy sacrebleu tqdm yaml safetensors sentencepiece datasets hydra omegaconf ctranslate2 ray filelock".split()
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = True\n" for name in libraries)
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\nfollow_imports = silent\n{skipped}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "right.py", "wrong.py"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert not [line for line in errors if line.startswith("right.py")], done.stdout
    for number, (_, word) in enumerate(WRONG, start=2):
        found = [line for line in errors if line.startswith(f"wrong.py:{number}: ")]
        assert found and any(word in line for line in found), (number, done.stdout, done.stderr)


def test_a_recipe_is_what_the_command_shows(command):
    import yaml

    words = ["model=tiny", "training.minutes=1", "decoding.beam=3"]
    config = translate.load_recipe("quickstart", *words)
    assert (config.training.minutes, config.decoding.beam, config.run) == (1.0, 3, "runs/quickstart")
    shown = yaml.safe_load(command("train", "recipe=quickstart", *words, "--cfg", "job", "--resolve").stdout)
    for group in ("model", "training", "decoding", "optim", "tokenizer"):
        assert {name: getattr(getattr(config, group), name) for name in shown[group]} == shown[group]


def test_recipes_are_composed_in_several_threads_at_once():
    found, threads = {}, []
    for beam in range(1, 5):
        words = ("model=tiny", f"decoding.beam={beam}")
        threads.append(threading.Thread(target=lambda beam=beam, words=words: found.update({beam: translate.load_recipe("quickstart", *words)})))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert {beam: config.decoding.beam for beam, config in found.items()} == {1: 1, 2: 2, 3: 3, 4: 4}


MISTAKES = [
    (("quickstat",), "quickstart"),
    (("quickstart", "trainin.minutes=1"), "trainin"),
    (("quickstart", "training.minutes=x"), "minutes"),
    (("quickstart", "model=tiny,small"), "model"),
    (("quickstart", "verify_resume=true"), "^verify_resume trains nothing: use the command"),
    ((3,), "not int$"),
]


@pytest.mark.parametrize("words, message", MISTAKES, ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "")
def test_a_mistake_in_a_recipe(words, message):
    with pytest.raises(TypeError if words == (3,) else UserError, match=message):
        translate.train(*words)


@pytest.fixture(scope="module")
def trained_in_a_thread(tmp_path_factory, corpus_folder):
    """The run folder, and what `train` returned in a thread other than the main one; from a recipe file's path and settings."""
    folder, returned = tmp_path_factory.mktemp("api"), []
    for language in ("de", "en"):
        shutil.copy(corpus_folder / f"dev.{language}", folder / f"test.{language}")
        for name in ("train", "dev"):
            shutil.copy(corpus_folder / f"{name}.{language}", folder / f"{name}.{language}")
    (folder / "own.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /data: text\n  - override /model: tiny\n  - override /optim: linear\n"
        "tokenizer: {vocabulary: 500}\nmodel: {width: 32, heads: 2, feedforward: 64, max_tokens: 64}\noptim: {rate: 0.005, warmup: 10}\n"
        "training: {steps: 60, minutes: 0, batch_tokens: 400, validate_every: 60, threads: 1, precision: fp32}\ndecoding: {beam: 2}\n",
        encoding="utf-8",
    )
    settings = [f"run={folder / 'run'}", f"data.folder={folder}", f"data.cache={folder / 'cache'}", "data.filters.max_tokens=64"]
    thread = threading.Thread(target=lambda: returned.append(translate.train(folder / "own.yaml", *settings)))
    thread.start()
    thread.join()
    return folder / "run", returned[0], settings


def test_training_returns_the_report(trained_in_a_thread, capfd):
    run, report, settings = trained_in_a_thread
    assert report == json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["steps"] == 60 and set(report["test"]["test"]["scores"]) == {"BLEU", "chrF2++", "TER"}
    assert translate.Translator.load(run).translate("Guten Morgen!") is not None
    again = translate.train(translate.load_recipe(run.parent / "own.yaml", *settings))
    assert again == {**report, "finished_before": True}
    assert capfd.readouterr().out == ""
    with pytest.raises(UserError, match=r"^settings \(model=tiny\) need the name of a recipe"):
        translate.train(tiny_config(run, run), "model=tiny")


def test_evaluating_does_what_the_command_does(trained_in_a_thread, command, capfd):
    run, _, _ = trained_in_a_thread
    results = translate.evaluate(run, beam=1, device="cpu", precision="fp32")
    captured = capfd.readouterr()
    assert captured.out == "" and "translate: test set test: 20 sentences of " in captured.err
    assert json.loads((run / "report.json").read_text(encoding="utf-8"))["test"] == results
    printed = json.loads(command("evaluate", "-m", run, "--beam", 1, "--device", "cpu", "--precision", "fp32", "--format", "json").stdout)["test"]
    for each in (results, printed):
        each["test"].pop("seconds")
    assert results == printed and results["test"]["decoding"]["beam"] == 1
    files = [str(run.parent / f"test.{language}") for language in ("de", "en", "en")]
    other = translate.evaluate(run, test=files, metrics=["chrf"], lowercase=True, beam=1)
    assert set(other["test.de"]["scores"]) == {"chrF2++"} and "|case:lc|" in other["test.de"]["scores"]["chrF2++"]["signature"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"metrics": ["blue"]}, "^unknown metric 'blue'"),
        ({"metrics": "bleu"}, "^metrics is one string, 'bleu': give a list of names"),
        ({"metrics": ["ter"], "lowercase": True}, "^lowercase has no effect"),
        ({"metrics": ["chrf"], "tokenize": "13a"}, "^tokenize has no effect"),
        ({"test": ["a.de"]}, "^test has only a.de"),
        ({"beam": 0}, "^beam is 0"),
        ({"test": "a.de"}, "^test is one string, 'a.de': give a list of files"),
        ({"testset": "wmt14"}, "^testset is one string, 'wmt14': give a list of names"),
        ({"testset": ["wmt1"]}, "^unknown test set 'wmt1'"),
        ({"tokenize": "14a"}, "^unknown tokenizer '14a'"),
    ],
)
def test_a_mistake_in_an_evaluation(bundle, arguments, message):
    with pytest.raises(UserError, match=message):
        translate.evaluate(bundle, **arguments)


HYPOTHESES = ["The dog is sleeping.", "The cat runs home because it rains.", "Good morning to you!", "What does the bread cost?"]
REFERENCES = ["The dog sleeps.", "The cat is running home because it rains.", "Good morning!", "How much is the bread?"]


def test_scores_are_those_of_sacrebleu():
    bleu, chrf, ter = sacrebleu.metrics.BLEU(), sacrebleu.metrics.CHRF(word_order=2), sacrebleu.metrics.TER()
    for references in ([REFERENCES], [REFERENCES, HYPOTHESES[::-1]]):
        found = translate.score(HYPOTHESES, references, bootstrap=0)
        for name, metric in (("BLEU", bleu), ("chrF2++", chrf), ("TER", ter)):
            expected = metric.corpus_score(HYPOTHESES, references).score
            assert found[name] == {"value": pytest.approx(expected), "signature": str(metric.get_signature())}
    assert list(found) == ["BLEU", "chrF2++", "TER"]
    one = translate.score(iter(HYPOTHESES), REFERENCES, metrics=["bleu"])
    assert one["BLEU"]["value"] == pytest.approx(bleu.corpus_score(HYPOTHESES, [REFERENCES]).score)
    assert one["BLEU"]["low"] < one["BLEU"]["value"] < one["BLEU"]["high"] and "bs:1000|seed:12345" in one["BLEU"]["signature"]
    json.dumps(found)


def test_what_makes_a_score_doubtful_is_a_warning():
    with pytest.warns(UserWarning, match="^the hypothesis has no capital letter") as caught:
        translate.score([text.lower() for text in HYPOTHESES], REFERENCES, bootstrap=0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "hypotheses, references, options, message",
    [
        (HYPOTHESES, REFERENCES[:3], {}, "^4 hypotheses, but 3 lines in reference 1"),
        ([], [], {}, "^nothing to score"),
        ("The dog.", ["The dog."], {}, "^hypotheses is one string, 'The dog.': give a list"),
        (["The dog."], "The dog.", {}, "^references is one string, 'The dog.': give a list"),
        (["The dog.", None], ["The dog."] * 2, {}, "^hypotheses: line 2 is None: it must be text"),
        (["The dog."] * 2, [["The dog.", 3]], {}, "^reference 1: line 2 is 3: it must be text"),
        (HYPOTHESES, REFERENCES, {"metrics": ["rouge"]}, "^unknown metric 'rouge'"),
        (HYPOTHESES, REFERENCES, {"metrics": []}, "^no metrics given"),
        (HYPOTHESES, REFERENCES, {"metrics": ["ter"], "lowercase": True}, "^lowercase has no effect"),
        (HYPOTHESES, REFERENCES, {"bootstrap": -1}, r"^bootstrap \(-1\) must be"),
        (HYPOTHESES, REFERENCES, {"tokenize": "14a"}, "^unknown tokenizer '14a'"),
    ],
)
def test_a_mistake_in_a_score(hypotheses, references, options, message):
    with pytest.raises(UserError, match=message):
        translate.score(hypotheses, references, **options)
