"""Every choice that depends on the hardware: device, precision, threads, memory."""

from __future__ import annotations

import ctypes
import functools
import logging
import mmap
import os
import shutil
import sys
import warnings

import torch
from torch import nn

from translate.errors import UserError

KEPT_KERNELS = 64  # more than a step of search needs, so that they stay cached between validations


def choose_device(name: str) -> torch.device:
    """`auto` is a CUDA device if there is one, else the CPU. With `auto` and `cuda` this is the first device; under torchrun each process gets its
    own. UserError for a device that does not exist.
    """
    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device is {name!r}: choose auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device is {name!r}: choose auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device is {name!r}, but torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices: choose auto or cpu")
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Number format of the matrix products in training: `auto` is bf16 if the hardware supports it, else fp32."""
    if name == "auto":
        return torch.bfloat16 if _multiplies_bf16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]


def choose_search_precision(name: str, device: torch.device, single: bool = False) -> torch.dtype:
    """The same in search, for batches or for a `single` sentence at a time. On CPUs also fp16: weights in fp16, everything else in fp32.

    On a CPU with both, `auto` is bf16 for batches and fp16 for a single sentence, where fp16 takes 0.5 of the time of bf16 with a small model and
    0.8 with the base model (beam 1 and 5, 1 core, Zen 5). UserError for an unknown name, or for fp16 on a machine without it.
    """
    if name not in ("auto", "fp32", "bf16", "fp16"):
        raise UserError(f"precision is {name!r}: choose auto, fp32, bf16 or fp16")
    possible = device.type == "cpu" and multiplies_fp16_weights()
    if name == "fp16" and not possible:
        raise UserError("precision fp16 needs an x86 CPU with AVX2, and a torch built with FBGEMM: choose auto, fp32 or bf16")
    if name == "fp16" or (name == "auto" and possible and (single or not _multiplies_bf16(device))):
        return torch.float16
    return choose_precision(name, device)


@functools.cache
def multiplies_fp16_weights() -> bool:
    """Whether torch has FBGEMM's product of fp32 activations with fp16 weights, and this CPU can run it.

    torch plans to remove it and warns once; the first call is here, to hide a warning that users can do nothing about.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            weight = torch.fbgemm_pack_gemm_matrix_fp16(torch.eye(8))
            return bool(torch.equal(torch.fbgemm_linear_fp16_weight_fp32_activation(torch.eye(8), weight, None), torch.eye(8)))
        except (AttributeError, RuntimeError, TypeError):
            return False


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # AMX tiles or AVX-512 bf16 products: both measured 4 to 5 times as fast as fp32 (2 cores, Sapphire Rapids and Zen 5).
    # Older versions of torch lack one of these names; public ones exist only since 2.11.
    return any(bool(getattr(torch.cpu, name, bool)()) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Context in which matrix products run in `precision`; the weights remain fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


def compiled(model: nn.Module) -> nn.Module:
    """`model` with forward and backward passes compiled, for batches of any shape. UserError without a C++ compiler."""
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler):
        raise UserError(
            f"training.compile needs a C++ compiler, and there is no {compiler}: install one, name it in CXX, or leave training.compile out"
        )
    torch._logging.set_logs(dynamo=logging.ERROR)  # it warns about every part that stays in Python
    module: nn.Module = torch.compile(model, dynamic=True)  # type: ignore[assignment]
    return module


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU or the machine ran out of memory. torch has an exception type only for the GPU, CTranslate2 only for the machine."""
    messages = ("can't allocate memory", "std::bad_alloc", "out of memory", "ALLOC_FAILED", "could not create a primitive")  # the last is oneDNN's
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in messages)


def set_threads(threads: int) -> None:
    """Use `threads` CPU threads; 0: torch's choice."""
    if threads:
        torch.set_num_threads(threads)


def keep_freed_memory() -> None:
    """Keep freed memory in the process.

    glibc returns every large freed block to the kernel, so the intermediate results of each step would be paged in again. Very high thresholds
    make it reuse the blocks.
    """
    if libc := _glibc():
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 2**31 - 1)


def release_memory() -> None:
    """Return freed memory to the system, also that of the GPU. After running out of memory, other code needs some, such as oneDNN's compiler."""
    if libc := _glibc():
        libc.malloc_trim(0)
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def limit_kernel_cache() -> None:
    """Make oneDNN keep fewer kernels. It compiles one for each shape of a product, and in training nearly every batch has new shapes.

    By default oneDNN and its wrapper in torch keep 1,024 each, of up to a megabyte: half of the memory of a training process, for kernels that are
    not used again (tatoeba_de_en, 200 steps: 1.93 GB, 1.04 GB with this; with 32 kernels 0.93 GB and up to 11% slower). Both read their limits at
    the first product. Limits set by the user are kept.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(KEPT_KERNELS))


def advise_random_access(address: int, size: int) -> None:
    """Tell the kernel that a mapped file is read at random.

    Otherwise it reads ahead at each access, megabytes on some machines, and evicts other parts of a corpus larger than memory: 30,000 random rows
    of 5 million pairs, in 512 MB of memory with 8 MB of read-ahead, read 420 GB and had not finished after six minutes.
    """
    if libc := _glibc():
        first = address // mmap.PAGESIZE * mmap.PAGESIZE
        # only advice: it may be refused
        libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(address + size - first), mmap.MADV_RANDOM)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    try:
        return ctypes.CDLL("libc.so.6")
    except OSError:  # another C library, such as musl
        return None
