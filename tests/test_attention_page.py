"""The worked example of docs/attention.md gives the numbers that it shows."""

from __future__ import annotations

import doctest

import pytest
import torch

from tests.pages import ROOT, blocks

PAGE = ROOT / "docs" / "attention.md"


@pytest.fixture(autouse=True)
def printing():
    """The page sets how tensors are printed, and the seed."""
    before = torch._tensor_str.PRINT_OPTS
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_printoptions(precision=before.precision, sci_mode=before.sci_mode)


def test_every_number_of_the_page():
    text = "\n\n".join(block for _, _, block in blocks(PAGE, "pycon"))
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    shown = [each.want for each in example.examples if each.want]
    assert sum(want.startswith("tensor(") for want in shown) >= 5 and any("512" in want for want in shown)
    complaints: list[str] = []
    results = doctest.DocTestRunner().run(example, out=complaints.append)
    assert results.failed == 0, "\n".join(complaints)
    assert results.attempted > 25
