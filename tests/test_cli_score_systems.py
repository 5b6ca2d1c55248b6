"""`translate score` of several systems and with other tokenizers, against the `sacrebleu` command; and test sets of a size that it can't hold."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
from sacrebleu.significance import PairedTest

from translate.cli.main import main
from translate.cli.score import TOKENIZERS as OFFERED
from translate.cli.score import comparison
from translate.evaluation.metrics import TOKENIZERS, default_tokenizer, too_short_for_bleu
from translate.evaluation.resampling import seed
from translate.evaluation.scoring import Score, compare, default_metrics, long_lines, score

WORDS = "the a man woman dog cat house tree river runs sleeps eats sees old young red big small in on under with and".split()
CHINESE = ["我今天很高兴见到你们大家。", "这是一个DNA测试,结果是3.5。", "他昨天去了北京大学图书馆看书。"]
JAPANESE = ["今日はとても良い天気ですね。", "彼は昨日東京へ行きました。", "ありがとうございます。"]


def corpus(lines: int) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Two references of so many lines, and three systems: b nearly as good as a, c worse."""
    chance = random.Random(lines)
    first = [" ".join(chance.choices(WORDS, k=chance.randint(4, 14))) for _ in range(lines)]
    second = [line.replace("the", "a") if chance.random() < 0.5 else f"well {line}" for line in first]
    systems = {
        name: [" ".join(word for word in line.split() if chance.random() > share) for line in first]
        for name, share in (("a.en", 0.2), ("b.en", 0.22), ("c.en", 0.4))
    }
    return first, second, systems


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second, systems = corpus(60)
    for name, lines in {"first.en": first, "second.en": second, **systems}.items():
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def sacrebleu_command(*words, **environment) -> str:
    settings = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-m", "sacrebleu", *words], env=settings, capture_output=True, check=True, timeout=60).stdout.decode()


def answer(capsys, *words) -> dict:
    assert main(["score", *words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("test", ["bs", "ar"])
def test_paired_tests_are_those_of_the_sacrebleu_command(test, folder, capsys):
    systems, metrics = ["a.en", "b.en", "c.en"], ["bleu", "chrf"] + ["ter"] * (test == "bs")
    words = ["first.en", "second.en", "-i", *systems, "-m", *metrics, "--chrf-word-order", "2", f"--paired-{test}", "-w", "4"]
    words += ["-f", "text", "--no-color", "-q"]
    truth = sacrebleu_command(*words)
    own = answer(capsys, "first.en", "second.en", "-i", *systems, "--paired", test, "--metrics", *metrics)
    assert [system["hypothesis"] for system in own["systems"]] == systems and own["paired"] == test
    rows = [line for line in truth.splitlines() if line.startswith("│")][1:]
    values = [re.findall(r"\d+\.\d{4}(?: \(\d+\.\d{4} ± \d+\.\d{4}\))?", row) for row in rows if ".en" in row]
    chances = [re.findall(r"p = (\d\.\d{4})", row) for row in rows if "p = " in row]
    for system, expected in zip(own["systems"], values, strict=True):
        for result, text in zip(system["scores"], expected, strict=True):
            bounds = result["interval"]
            mean = f" ({(bounds['low'] + bounds['high']) / 2:.4f} ± {(bounds['high'] - bounds['low']) / 2:.4f})" if bounds else ""
            assert f"{result['value']:.4f}{mean}" == text
            assert re.search(rf"^ - {re.escape(result['name'])} +{re.escape(result['signature'])}$", truth, re.MULTILINE)
    assert all(result["p_value"] is None for result in own["systems"][0]["scores"])
    for system, expected in zip(own["systems"][1:], chances, strict=True):
        assert [f"{result['p_value']:.4f}" for result in system["scores"]] == expected


def test_in_blocks_the_draws_are_the_same(monkeypatch):
    """More blocks than one, and resamples that do not fill the last one."""
    first, second, systems = corpus(150)
    metrics = {"BLEU": sacrebleu.BLEU(), "CHRF": sacrebleu.CHRF(word_order=2)}
    for test in ("bs", "ar"):
        truth = PairedTest(list(systems.items()), metrics, [first, second], test, n_samples=1000)()[1]
        monkeypatch.setattr("translate.evaluation.resampling.BLOCK", 7 * 150)
        monkeypatch.setattr("translate.evaluation.scoring.TRIALS", 1000)
        own = compare(list(systems.values()), [first, second], ["bleu", "chrf"], *((1000, False) if test == "bs" else (0, True)))
        for place in (1, 2):
            assert [result.p_value for result in own[place]] == [truth[name][place].p_value for name in ("BLEU", "chrF2++")]


def test_the_table_of_several_systems(folder, capsys):
    assert main(["score", "first.en", "-i", "a.en", "b.en", "c.en", "--metrics", "bleu,chrf"]) == 0
    out, said = capsys.readouterr()
    lines = out.splitlines()
    assert said == "" and re.split(r"  +", lines[0]) == ["system", "BLEU", "95% interval", "p", "chrF2++", "95% interval", "p"]
    assert re.fullmatch(r"c\.en +\d+\.\d\d +\[\d+\.\d\d, \d+\.\d\d\]  0\.\d{4}\* +\d+\.\d\d +\[\d+\.\d\d, \d+\.\d\d\]  0\.\d{4}\*", lines[3])
    assert lines[5].startswith("BLEU  nrefs:1|bs:1000|seed:12345|") and lines[6].startswith("chrF2++  nrefs:1|bs:1000|")
    assert lines[8] == "p: paired bootstrap resampling against a.en; * = below 0.05"


def test_columns_that_say_nothing_are_left_out():
    assert comparison({"a": [Score("BLEU", 1.0, "s")], "b": [Score("BLEU", 12.0, "s")]}, None).splitlines() == [
        "system   BLEU",
        "a        1.00",
        "b       12.00",
        "",
        "BLEU  s",
    ]


def test_without_resamples_there_is_no_p(folder, capsys):
    own = answer(capsys, "first.en", "-i", "a.en", "b.en", "--bootstrap", "0", "--metrics", "bleu")
    assert all(result["p_value"] is None and result["interval"] is None for system in own["systems"] for result in system["scores"])


def test_the_same_system_twice_is_told(folder, capsys):
    Path("copy.en").write_bytes(Path("a.en").read_bytes())
    assert "a.en and copy.en are equal in every line: p says nothing" in answer(capsys, "first.en", "-i", "a.en", "copy.en")["warnings"]


def test_unfit_text_is_told_by_the_name_of_its_file_and_once_of_the_reference(folder, capsys):
    for name in ("first.en", "c.en"):
        Path(name).write_text("".join(f"{line} &amp;\n" for line in Path(name).read_text().splitlines()))
    warned = answer(capsys, "first.en", "-i", "a.en", "b.en", "c.en", "--bootstrap", "0")["warnings"]
    assert [text.partition(" has ")[0] for text in warned] == ["the reference", "c.en"]


def test_the_tokenizers_are_sacrebleus():
    assert OFFERED == TOKENIZERS and set(TOKENIZERS) <= set(sacrebleu.BLEU.TOKENIZERS)


@pytest.mark.parametrize("tokenizer", ["13a", "zh", "char", "intl", "none"])
@pytest.mark.parametrize("case", [[], ["--lowercase"]], ids=["cased", "lowercase"])
def test_tokenizers_and_case_are_those_of_the_sacrebleu_command(tokenizer, case, folder, capsys):
    for name, lines in {
        "ref": [*CHINESE, "An English, one-line Example."],
        "out": [*CHINESE[::2], CHINESE[1], "AN English one-line example."],
    }.items():
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    words = ["ref", "-i", "out", "-m", "bleu", "chrf", "--chrf-word-order", "2", "-tok", tokenizer, "-w", "4", "-f", "json"]
    truth = json.loads(sacrebleu_command(*words, *(["-lc", "--chrf-lowercase"] if case else [])))
    own = answer(capsys, "ref", "-i", "out", "--tokenize", tokenizer, "--metrics", "bleu", "chrf", "--bootstrap", "0", *case)["scores"]
    assert [(result["signature"], f"{result['value']:.4f}") for result in own] == [(each["signature"], f"{each['score']:.4f}") for each in truth]
    assert f"|tok:{tokenizer}|" in own[0]["signature"] and f"|case:{'lc' if case else 'mixed'}|" in own[1]["signature"]


def test_japanese_with_mecab_or_the_command_that_installs_it(folder, capsys):
    for name, lines in {"ref": JAPANESE, "out": [JAPANESE[0].replace("今日", "明日"), *JAPANESE[1:]]}.items():
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    words = ["ref", "-i", "out", "--tokenize", "ja-mecab", "--metrics", "bleu", "--bootstrap", "0"]
    try:
        import ipadic  # noqa: F401
        import MeCab  # noqa: F401
    except ImportError:
        assert main(["score", *words]) == 2
        assert capsys.readouterr().err == (
            "translate: error: BLEU's tokenizer ja-mecab needs packages that are not installed: pip install 'sacrebleu[ja]'\n"
        )
        return
    own = answer(capsys, *words)["scores"][0]
    truth = json.loads(sacrebleu_command("ref", "-i", "out", "-tok", "ja-mecab", "-w", "4"))
    assert (own["signature"], round(own["value"], 4)) == (truth["signature"], truth["score"])


def test_flores200_with_its_model_in_sacrebleus_folder(folder, bundle):
    """Any SentencePiece model does for it; a process of its own, since sacreBLEU reads its folder's name when it is imported."""
    home = folder / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / "flores200sacrebleuspm").write_bytes(next(bundle.glob("*.model")).read_bytes())
    environment = {**os.environ, "SACREBLEU": str(home), "PYTHONPATH": str(Path(__file__).parent.parent)}
    words = [sys.executable, "-m", "translate", "score", "first.en", "-i", "a.en", "--tokenize", "flores200", "--metrics", "bleu", "--format", "json"]
    own = json.loads(subprocess.run(words, env=environment, capture_output=True, check=True).stdout)["scores"][0]
    truth = json.loads(sacrebleu_command("first.en", "-i", "a.en", "-tok", "flores200", "--confidence", "-w", "4", SACREBLEU=str(home)))
    assert (own["signature"], round(own["value"], 4)) == (truth["signature"], truth["score"])
    assert "|tok:flores200|" in own["signature"]


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        ("de", "13a"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh_Hans", "zh"),
        ("cmn", "zh"),
        ("ja", "ja-mecab"),
        ("jpn_Jpan", "ja-mecab"),
        ("KO", "ko-mecab"),
    ],
)
def test_the_tokenizer_follows_the_target_language(language, tokenizer):
    assert default_tokenizer(language) == tokenizer
    if language in ("de", "zh"):  # the others need more packages
        assert sacrebleu.BLEU(trg_lang=language).tokenizer_signature == tokenizer


def test_beyond_bleu():
    assert too_short_for_bleu(["Dog", "the cat", "A house."]) and not too_short_for_bleu(["Dog", "the cat is"] * 3 + ["the cat is here"])
    assert too_short_for_bleu(CHINESE[:1]) and not too_short_for_bleu(CHINESE[:1], "zh")
    assert score(["A house."], [["A house."]], ["bleu"])[0].value == 0


# ---------------------------------------------------------------------------------------------------------------------------------------
# Size


def test_memory_does_not_grow_with_the_resamples(folder):
    """sacreBLEU's own way: 6,000 samples of 10,000 lines, an index and ten numbers each, 3 GB."""
    first, _, systems = corpus(1000)
    for name, lines in (("first.en", first), ("a.en", systems["a.en"])):
        Path(name).write_text("".join(f"{line}\n" for line in lines * 10))
    code = (
        "import resource; from translate.cli.main import main; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert main(['score', 'first.en', '-i', 'a.en', '--bootstrap', '6000', '--metrics', 'bleu']) == 0\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    *_, signature, megabytes = done.stdout.decode().splitlines()
    assert "|bs:6000|seed:12345|" in signature and int(megabytes) < 300


def test_the_seed_is_sacrebleus(monkeypatch):
    first, _, systems = corpus(20)
    assert seed() == (12345, "12345")
    usual = score(systems["a.en"], [first], ["bleu"], 50)[0]
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    other, metric = score(systems["a.en"], [first], ["bleu"], 50)[0], sacrebleu.BLEU()
    truth = metric.corpus_score(systems["a.en"], [first], n_bootstrap=50)
    assert (other.low, other.signature) == (truth._mean - truth._ci, str(metric.get_signature())) and other.low != usual.low
    monkeypatch.setenv("SACREBLEU_SEED", "None")
    assert "|seed:none|" in score(systems["a.en"], [first], ["bleu"], 50)[0].signature
    for wrong in ("abc", "-1", "1.5", ""):
        monkeypatch.setenv("SACREBLEU_SEED", wrong)
        with pytest.raises(ValueError, match="SACREBLEU_SEED"):
            score(systems["a.en"], [first], ["bleu"], 10)
        assert score(systems["a.en"], [first], ["bleu"])[0].value == usual.value  # without resamples it plays no part


def test_ter_of_a_line_that_takes_minutes_is_left_out_and_said(folder, capsys):
    chance = random.Random(1)
    long = " ".join(chance.choices(WORDS, k=1500))
    Path("long.en").write_text(f"A short one is here.\n{long}\n")
    Path("out.en").write_text(f"A short one is there.\n{' '.join(reversed(long.split()))}\n")
    own = answer(capsys, "long.en", "-i", "out.en", "--bootstrap", "0")
    assert [result["name"] for result in own["scores"]] == ["BLEU", "chrF2++"]
    assert own["warnings"] == ["TER is left out: line 2 has 1,500 words, for which TER is slow; --metrics ter computes it anyway"]


def test_ter_that_is_asked_for_is_announced(folder, capsys, monkeypatch):
    monkeypatch.setattr("translate.evaluation.scoring.TER_WORDS", 5)
    monkeypatch.setattr("translate.evaluation.metrics.LOG_EVERY", 0.0)
    assert main(["score", "first.en", "-i", "a.en", "--bootstrap", "0", "--metrics", "ter"]) == 0
    out, said = capsys.readouterr()
    assert "TER" in out and re.match(r"translate: TER of line \d+ \(\d+ words\) takes a while", said)
    assert "translate: TER: 59 of 60 lines\n" in said


def test_only_a_line_that_is_long_on_both_sides_takes_long():
    long = "word " * 1200
    assert long_lines(["a", long, long], [["b", "c", long], ["d", "e", "f"]]) == [(3, 1200)]
    assert default_metrics([["short"], ["also"]], [["text"]]) == (("bleu", "chrf", "ter"), "")
