"""translate-nmt: train, run and score German-English Transformers (Vaswani et al. 2017).

    from translate import Translator
    Translator.load("runs/quickstart").translate("Guten Morgen.")

Each name is imported when it is first used: `import translate` loads nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take a variable of this name for true; importing typing would take most of the time
if TYPE_CHECKING:
    from translate.api import evaluate as evaluate
    from translate.api import score as score
    from translate.api import tokens as tokens
    from translate.api import train as train
    from translate.compose.compose import load_recipe as load_recipe
    from translate.config import Config as Config
    from translate.config import ModelConfig as ModelConfig
    from translate.errors import UserError as UserError
    from translate.model import Transformer as Transformer
    from translate.translation.fill import fill as fill
    from translate.translation.generation import generate as generate
    from translate.translation.pieces import Translation as Translation
    from translate.translation.translator import Translator as Translator

    __version__: str

_MODULES = {
    "Config": "translate.config",
    "ModelConfig": "translate.config",
    "Transformer": "translate.model",
    "Translation": "translate.translation.pieces",
    "Translator": "translate.translation.translator",
    "UserError": "translate.errors",
    "evaluate": "translate.api",
    "fill": "translate.translation.fill",
    "generate": "translate.translation.generation",
    "load_recipe": "translate.compose.compose",
    "score": "translate.api",
    "tokens": "translate.api",
    "train": "translate.api",
}

__all__ = [
    "Config",
    "ModelConfig",
    "Transformer",
    "Translation",
    "Translator",
    "UserError",
    "__version__",
    "evaluate",
    "fill",
    "generate",
    "load_recipe",
    "score",
    "tokens",
    "train",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata

        try:
            value: object = metadata.version("translate-nmt")
        except metadata.PackageNotFoundError:  # a checkout that is not installed
            value = "unknown"
    elif name in _MODULES:
        from importlib import import_module

        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'translate' has no attribute {name!r}")
    globals()[name] = value  # the next use finds it there
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
