"""The limits of a run: steps, minutes and patience. The share that is used up determines the learning rate and the end of the run.

The caller measures the seconds.
"""

from __future__ import annotations

from translate.config import TrainingConfig
from translate.training.checkpoints import Progress

LIMITS = ("steps", "minutes", "min_steps", "patience")  # settings of `training`


def limits(settings: TrainingConfig) -> list[float]:
    return [float(getattr(settings, name)) for name in LIMITS]


def used(settings: TrainingConfig, progress: Progress, seconds: float) -> float:
    """The share of the budget that is used up, 0 to 1. Of the minutes, the time of the last two validations is reserved."""
    shares = [progress.step / settings.steps if settings.steps else 0.0]
    if settings.minutes:
        share = _share_of_minutes(settings, progress, seconds)
        shares.append(min(share, progress.step / settings.min_steps) if settings.min_steps else share)
    return min(1.0, max(shares))


def overtime(settings: TrainingConfig, progress: Progress, seconds: float) -> str:
    """A log line if the minutes are over and the run continues to min_steps; else ""."""
    if not settings.minutes or progress.step >= settings.min_steps or _share_of_minutes(settings, progress, seconds) < 1:
        return ""
    return f"the {settings.minutes:g} minutes are over at step {progress.step:,}: continuing to step {settings.min_steps:,} (training.min_steps)"


def _share_of_minutes(settings: TrainingConfig, progress: Progress, seconds: float) -> float:
    limit = settings.minutes * 60
    # before the first validation its time is unknown: reserve a twentieth of the minutes
    reserve = 2.5 * progress.validation_seconds + 1 if progress.validation_seconds else limit / 20
    return seconds / max(limit - reserve, limit / 2)


def out_of_patience(settings: TrainingConfig, progress: Progress) -> bool:
    return 0 < settings.patience <= progress.worse


def is_over(settings: TrainingConfig, progress: Progress) -> bool:
    """Whether a run that starts here has no step left. One that had reached its limits continues only with other limits."""
    if progress.finished and progress.limits == limits(settings):
        return True
    return used(settings, progress, progress.seconds) >= 1 or out_of_patience(settings, progress)


def describe(values: list[float]) -> str:
    """`limits` in words."""
    steps, minutes, least, patience = values
    words = [f"{steps:,.0f} steps"] if steps else []
    words += [f"{minutes:g} minutes" + (f", but at least {least:,.0f} steps" if least else "")] if minutes else []
    words += [f"a patience of {patience:.0f} validations"] if patience else []
    return ", ".join(words) or "no limit"


def change(before: list[float], now: list[float], used: float, schedule: str) -> str:
    """The log line if `limits` differ from those of the last start."""
    begin = f"the budget changed from {describe(before)} to {describe(now)}"
    return f"{begin}: nothing of it is left" if used >= 1 else f"{begin}: {used:.0%} of it is used up; {schedule}"
