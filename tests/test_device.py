"""What a training process keeps in memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SHAPES = """
import sys, torch
from translate.device import limit_kernel_cache
if sys.argv[1] == "few":
    limit_kernel_cache()
torch.set_num_threads(1)

def own():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

weight = torch.zeros(1024, 256, dtype=torch.bfloat16)
for rows in range(8, 408):
    torch.nn.functional.linear(torch.zeros(rows, 256, dtype=torch.bfloat16), weight)
    if rows == 80:
        began = own()
print((own() - began) // 1000)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_products_of_ever_new_shapes_take_no_more_and_more_memory():
    unset = {name: value for name, value in os.environ.items() if not name.endswith("_CACHE_CAPACITY")}
    environment = {**unset, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    grown = {}
    for which in ("few", "all"):
        done = subprocess.run([sys.executable, "-c", SHAPES, which], capture_output=True, text=True, env=environment, check=True)
        grown[which] = int(done.stdout)
    if grown["all"] < 10:
        pytest.skip(f"this CPU's products keep no kernels ({grown['all']} MB)")
    assert grown["few"] < grown["all"] / 4, grown
