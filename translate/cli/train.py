"""`translate train recipe=NAME key=value ...`: composes the configuration and hands it to training.

The only module that knows Hydra. Its words go to Hydra's own command line, so `--cfg job`, `-m`, `--config-dir` and `--info` are
Hydra's. Hydra composes and nothing more: every configuration of a sweep is composed and checked before the first one trains, and
training gets plain dataclasses. The recipes of `recipes/` become the group `recipe`; one of your own is DIR/recipe/NAME.yaml with
`--config-dir DIR recipe=NAME`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import os
import re
import sys
import tempfile
import typing
from pathlib import Path
from typing import Any

from translate.config import Config, check_budget, from_dict
from translate.errors import UserError
from translate.values import flatten, unknown_key

HELP = "train a model from a recipe"
INTERRUPTED = (130, 143)  # exit codes after which a sweep doesn't go on: Ctrl-C, SIGTERM
VALUES = 100_000  # in a recipe; aliases of aliases make any number from a few lines
GROUPS = ("data", "tokenizer", "model", "optim", "training", "decoding")
TAKE_A_VALUE = ("--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--cfg", "-c")

USAGE = """\
usage: translate train recipe=NAME [GROUP=CHOICE ...] [KEY=VALUE ...]

Train a model from a recipe, into the folder runs/NAME. The same command again goes on where it was interrupted.

examples:
  translate train recipe=quickstart
  translate train recipe=quickstart model=tiny training.minutes=1 run=runs/first
  translate train recipe=multi30k_de_en data.folder=DIR      local files in place of the hub
  translate train recipe=quickstart data=text data.folder=my your own pairs: my/train.de, my/train.en, dev.*, test.*
  translate train recipe=quickstart --cfg job                show the whole configuration and stop
  translate train -m recipe=quickstart model=tiny,small      one run after the other
  translate train --config-dir my recipe=mine                your own recipe, my/recipe/mine.yaml
"""
OFTEN_SET = {
    "run": "the run folder",
    "resume": "false: begin anew, and put the run that is in the folder aside",
    "verify_resume": "true: train nothing, but prove that a killed run goes on to the same weights",
    "training.minutes": "end after so many minutes (0: no limit)",
    "training.min_steps": "but not before so many steps, on a slow or busy machine",
    "training.steps": "end after so many steps (0: no limit)",
    "training.batch_tokens": "target tokens a batch",
    "training.validate_every": "steps from one validation to the next",
    "training.patience": "validations without a better BLEU before the end (0: go on)",
    "training.seed": "the same seed and training.steps give the same weights; minutes follow the clock",
    "training.device": "auto, cpu, cuda",
    "optim.rate": "learning rate at its peak (noam: factor of the paper's formula)",
    "model.dropout": "",
    "tokenizer.vocabulary": "pieces",
    "decoding.beam": "beam of the final test and of `translate file`",
}


def add_arguments(parser: Any) -> None:
    """Nothing: the words of `translate train` are Hydra's. `translate --help` lists the command through this module."""


def run(words: list[str]) -> int:
    """Compose, check, train. Returns the exit code; of several runs the greatest. UserError, in one line, for a user's mistake."""
    if "--help" in words or "-h" in words:
        print(describe(), end="")
        return 0
    configs = compose(words)
    if not configs:  # --cfg, --info: Hydra has printed what was asked for
        return 0
    from translate.training import train
    from translate.verify import verify_resume

    code = 0
    for config in configs:
        code = max(code, (verify_resume if config.verify_resume else train)(config) or 0)
        if code in INTERRUPTED:
            break
    return code


def shipped(name: str) -> Path:
    """The folder `conf` or `recipes`: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise UserError(f"{package / name} is missing: install translate-nmt again")


def choices(group: str) -> list[str]:
    """What the package offers for a group."""
    folder = shipped("recipes") if group == "recipe" else shipped("conf") / group
    return sorted(path.stem for path in folder.glob("*.yaml"))


def check_yaml(words: list[str]) -> None:
    """UserError for a file of --config-dir that `words` choose and that is no YAML, or takes memory without end, as Hydra would not say."""
    import yaml

    def size(node: yaml.Node | str, sizes: dict[int, int]) -> int:
        """Values in `node` once each alias is replaced by what it stands for."""
        if id(node) not in sizes:
            sizes[id(node)] = VALUES + 1  # for as long as it is open: it may hold itself
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            sizes[id(node)] = 1 + sum(size(part, sizes) for item in parts for part in (item if isinstance(item, tuple) else (item,)))
        return sizes[id(node)]

    folders = [Path(word) for before, word in zip(words, words[1:]) if before in ("--config-dir", "-cd")]
    folders += [Path(word.partition("=")[2]) for word in words if word.startswith("--config-dir=")]
    chosen = [(group, name) for group, _, names in (word.partition("=") for word in words) for name in names.split(",")]
    for path in (folder / group / f"{name}.yaml" for folder in folders for group, name in chosen):
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
            if size(yaml.compose(text, yaml.SafeLoader), {}) > VALUES:
                raise UserError(f"{path} has more than {VALUES:,} values, aliases counted as what they stand for")
            yaml.safe_load(text)
        except RecursionError:
            raise UserError(f"{path} is nested too deeply to be read") from None
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError) as error:  # a tag whose value is none makes any of them
            raise UserError(f"{path} is not valid YAML: {one_line(str(error))}") from None
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8: {error}") from None


def compose(words: list[str]) -> list[Config]:
    """The checked configurations that the command line `words` asks for: one, several with -m, none with --cfg or --info."""
    import hydra
    import yaml
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    check_yaml(words)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints a message of many lines and exits with 1
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    configs: list[Config] = []
    failed: list[str] = []

    def collect(config: Any) -> None:
        try:
            configs.append(to_dataclasses(config))
        except OmegaConfBaseException as error:  # raised from here, it would be wrapped in text of Hydra's
            failed.append(explain(error))
        except UserError as error:
            failed.append(str(error))

    arguments, said = sys.argv, io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        for path in shipped("recipes").glob("*.yaml"):
            store.store(group="recipe", name=path.stem, node=OmegaConf.load(path), package="_global_")
        with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(said):
            if {"-m", "--multirun"} & set(words):  # Hydra leaves a multirun.yaml there
                words = [*words, f"hydra.sweep.dir='{scratch}'"]
            sys.argv = ["translate train", *in_order(words)]
            hydra.main(version_base="1.3", config_path=str(shipped("conf")), config_name="train")(collect)()
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error)) from error
    except yaml.YAMLError as error:
        raise UserError(f"a recipe is not valid YAML: {one_line(str(error))}") from error
    except RecursionError:
        raise UserError("a recipe is nested too deeply to be read") from None
    except UnicodeDecodeError as error:
        raise UserError(f"a recipe is not UTF-8: {error}") from error
    except ValueError as error:  # of Hydra's, such as for model=3
        raise UserError(f"{one_line(str(error))} (in: {' '.join(words)})") from error
    except SystemExit as leave:  # argparse: an unknown flag
        if leave.code:
            raise UserError(one_line(said.getvalue().rpartition("error: ")[2]) + ": see `translate train --help`") from leave
    finally:
        sys.argv = arguments
        root.handlers[:], root.level = handlers, level  # --info leaves one that prints every library's debug messages
    if failed:
        raise UserError(failed[0])
    print(said.getvalue(), end="", file=sys.stderr)
    folders = [config.run for config in configs]
    if twice := next((folder for folder in folders if folders.count(folder) > 1), None):
        raise UserError(f"several of the runs would be written to {twice}: leave `run` out, and each gets a folder of its own")
    return configs


def in_order(words: list[str]) -> list[str]:
    """Flags first: argparse takes positional words only as one block, and `recipe=a -m model=b,c` should do."""
    flags, overrides = [], []
    for before, word in zip(["", *words], words):
        value = before in TAKE_A_VALUE or (before in ("--info", "-i") and "=" not in word)
        (flags if word.startswith("-") or value else overrides).append(word)
    return [*flags, "--", *overrides]


def to_dataclasses(config: Any) -> Config:
    """What Hydra composed (a DictConfig) as checked dataclasses; a run of a sweep gets its overrides into the folder's name."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    result = check_budget(from_dict(OmegaConf.to_container(config, resolve=True, throw_on_missing=True)))
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN and job.job.override_dirname and not any(word.startswith("run=") for word in job.overrides.task):
        result.run += "," + job.job.override_dirname.replace("/", "_")
    return result


def explain(error: Exception) -> str:
    """An error of Hydra or OmegaConf in one line: what, the value, the way out."""
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException, ValidationError

    text = str(error)
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    place = re.match(r"In '([^']+)'", text)
    where = f"in {place[1]}: " if place and place[1] != "train" else ""
    if place and place[1].startswith("recipe/") and ("@recipe." in text or getattr(cause, "key", None) == "recipe"):
        return f"{where}its keys would come under `recipe`: make `# @package _global_` its first line"
    if missing := getattr(error, "missing_cfg_file", None):
        group, _, choice = missing.rpartition("/")
        options = error.options or (
            choices(group) if group in (*GROUPS, "recipe") else []
        )  # an entry of a recipe's own defaults comes without options
        if not options:
            return one_line(text.partition("Config search path")[0])
        own = " (your own: --config-dir DIR with DIR/recipe/NAME.yaml)" if group == "recipe" else ""
        return f"{where}{group}={choice} is unknown: choose one of {', '.join(options)}{own}"
    if text.startswith("You must specify"):
        names = ", ".join(text.split("Available options:")[-1].split())
        return f"no recipe is given: add recipe=NAME, one of {names}"
    if text.startswith("Ambiguous value"):
        word = text.splitlines()[0].partition("'")[2].rstrip("'")
        key, _, value = word.partition("=")
        return f"{word} has a comma: add -m to train one after the other, or, if the comma is part of the value, quote it: \"{key}='{value}'\""
    if override := getattr(error, "override", None):
        reason = one_line(text.partition("See https")[0].removeprefix(f"Error parsing override '{override}'"))
        return f"{override!r} is no KEY=VALUE ({reason}): put a value with special characters in quotes, \"KEY='VALUE'\""
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)) and dataclasses.is_dataclass(cause.object_type):
        at = cause.full_key.rpartition(".")[0]
        if not at and cause.object_type is not Config:  # an item of a list
            at = cause.object_type.__name__.removesuffix("Config").lower()
        known = [field.name for field in dataclasses.fields(cause.object_type)]
        return where + unknown_key(at, str(cause.key), [*known, "recipe"] if cause.object_type is Config else known)
    if "To append to your config use " in text:
        return f"{getattr(cause, 'full_key', None) or 'the key'} isn't there: to add it, write {one_line(text.rpartition('use ')[2])}"
    if isinstance(cause, ValidationError) and dataclasses.is_dataclass(cause.object_type) and cause.key is not None:
        return f"{where}{cause.full_key} is {cause.value!r}: it must be of type {type_name(cause.object_type, str(cause.key))}"
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key} is not set: add {cause.full_key}=VALUE"
    if isinstance(cause, OmegaConfBaseException):
        at = cause.full_key or text.partition("\n")[0]
        return f"{where}{f'{at}: ' if at else ''}{one_line((cause.msg or str(cause)).partition(chr(10))[0])}"
    return one_line(text)


def type_name(section: type, key: str) -> str:
    hint = typing.get_type_hints(section)[key]
    if typing.get_origin(hint) is typing.Union:  # Optional[X]
        return f"{typing.get_args(hint)[0].__name__} or null"
    return (typing.get_origin(hint) or hint).__name__


def one_line(text: str) -> str:
    return " ".join(text.split())


def describe() -> str:
    """The text of `translate train --help`."""
    recipes = {path.stem: first_comment(path) for path in sorted(shipped("recipes").glob("*.yaml"))}
    defaults = flatten(dataclasses.asdict(Config(run="runs/RECIPE")))
    lines = [USAGE, "recipes:"]
    lines += [f"  {name:<20} {text}" for name, text in recipes.items()]
    lines += ["", "groups and their choices (GROUP=CHOICE):"]
    lines += [f"  {group:<10} {', '.join(choices(group))}" for group in GROUPS]
    lines += ["", "keys most often set (KEY=VALUE), with their defaults; a recipe may say otherwise:"]
    lines += [f"  {f'{key}={defaults[key]}':<32} {text}".rstrip() for key, text in OFTEN_SET.items()]
    lines += ["", "--cfg job shows all keys; --info defaults-tree shows which files they come from."]
    return "\n".join(lines) + "\n"


def first_comment(path: Path) -> str:
    """The first line of a recipe's header comment, after Hydra's own `# @package`."""
    lines = (line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#"))
    return next((line for line in lines if line and not line.startswith("@")), "")
