"""Schedules against the paper's formula and hand-computed values; the optimizer against torch's plain Adam."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from translate.config import OptimConfig
from translate.training.optim import learning_rate, make_optimizer


def test_noam_is_equation_3():
    config = OptimConfig(schedule="noam", rate=1.0, warmup=4000)
    for step in (1, 100, 4000, 4001, 100_000):
        assert learning_rate(config, 512, step, 0.0) == pytest.approx(512**-0.5 * min(step**-0.5, step * 4000**-1.5))
    assert learning_rate(config, 512, 4000, 0.0) == pytest.approx(6.9877e-4, rel=1e-4)  # its peak


@pytest.mark.parametrize(
    ("schedule", "step", "progress", "expected"),
    [
        ("inverse_sqrt", 50, 0.1, 0.5), ("inverse_sqrt", 100, 0.5, 1.0), ("inverse_sqrt", 400, 0.9, 0.5),
        ("linear", 50, 0.0, 0.5), ("linear", 200, 0.5, 0.5), ("linear", 900, 0.9, 0.1), ("linear", 1000, 1.0, 0.0),
        ("cosine", 200, 0.5, 0.5), ("cosine", 900, 0.75, 0.5 * (1 - math.sqrt(0.5))), ("cosine", 1000, 1.0, 0.0),
    ],
)  # fmt: skip
def test_schedules_by_hand(schedule, step, progress, expected):
    config = OptimConfig(schedule=schedule, rate=0.002, warmup=100)
    assert learning_rate(config, 256, step, progress) == pytest.approx(0.002 * expected, abs=1e-12)


def test_steps_are_those_of_plain_adam():
    torch.manual_seed(1)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimizer = make_optimizer(ours, OptimConfig())
    reference = torch.optim.Adam(theirs.parameters(), lr=0.01, betas=(0.9, 0.98), eps=1e-9)
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    for _ in range(5):
        batch = torch.randn(4, 5)
        for model, method in ((ours, optimizer), (theirs, reference)):
            method.zero_grad()
            model(batch).square().sum().backward()
            method.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_weight_decay_spares_biases_and_norms():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    groups = make_optimizer(model, OptimConfig(weight_decay=0.1)).param_groups
    decayed = {id(parameter) for group in groups if group["weight_decay"] for parameter in group["params"]}
    assert decayed == {id(model[0].weight)}
