"""One decoder on one task, with the weights of a run: batches of ids in, ids out. Prints JSON: seconds of the searches, and the outputs.

Batches of one come one after the other. Others are there all at once: CTranslate2 searches one in each thread, ours one in
each copy of the process, which is faster with both.

    python decoding_loop.py KIND PRECISION WORK BEAM BATCH THREADS        (KIND: ours, ctranslate2, huggingface, joeynmt)

WORK/task.json: {"model": the run's model section, "vocabulary": V, "pieces": [...], "sources": [[ids]], "limits": [...]}, sorted by length;
WORK/weights.npz: the run's weights and positions; WORK/run, WORK/ctranslate2: its bundle and its export. Pre-norm, one vocabulary.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy

PAD, BOS, EOS, UNK = 0, 1, 2, 3


def main() -> None:
    kind, precision, work, beam, batch, threads = sys.argv[1:]
    beam, batch, threads, work = int(beam), int(batch), int(threads), Path(work)
    task = json.loads((work / "task.json").read_text(encoding="utf-8"))
    contestants = {"ours": ours, "ctranslate2": ctranslate2, "huggingface": huggingface, "joeynmt": joeynmt}
    search, workers = contestants[kind](task, work, precision, beam, threads, batch > 1)
    batches = [(task["sources"][first : first + batch], task["limits"][first : first + batch]) for first in range(0, len(task["sources"]), batch)]

    def search_all(batches):
        return list((map if workers is None else workers.map)(search, *zip(*batches)))

    search_all(batches[:2])  # warms up
    began = time.perf_counter()
    outputs = search_all(batches)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "outputs": [ids for batch in outputs for ids in batch]}))


def ours(task, work, precision, beam, threads, at_once):
    import torch

    from translate.decoding import Options
    from translate.translation.translator import Translator

    torch.set_num_threads(threads)
    translator = Translator.load(work / "run", "cpu", precision, fork=True)
    options = Options(beam, 1.0).fill(translator.decoding)
    pool, run = translator.searchers if at_once else (None, translator.engine.search)

    def search(sources, limits):
        return [found[0].ids for found in run(sources, limits, options, [])]

    return search, pool


def ctranslate2(task, work, precision, beam, threads, at_once):
    from concurrent.futures import ThreadPoolExecutor

    import ctranslate2 as package

    layout = {"inter_threads": threads, "intra_threads": 1} if at_once else {"inter_threads": 1, "intra_threads": threads}
    translator = package.Translator(str(work / "ctranslate2"), device="cpu", compute_type=precision, **layout)
    pieces = task["pieces"]
    ids = {piece: number for number, piece in enumerate(pieces)}

    def search(sources, limits):
        tokens = [[pieces[number] for number in source] for source in sources]
        results = translator.translate_batch(tokens, beam_size=beam, length_penalty=1.0, max_decoding_length=max(limits))
        return [[ids[piece] for piece in result.hypotheses[0]] for result in results]

    return search, ThreadPoolExecutor(threads) if at_once else None


def huggingface(task, work, precision, beam, threads, at_once):
    import torch
    from transformers import PegasusConfig, PegasusForConditionalGeneration

    torch.set_num_threads(threads)
    shape, given = task["model"], numpy.load(work / "weights.npz")
    sides = {
        f"{side}_{name}": shape[key] for side in ("encoder", "decoder") for name, key in (("attention_heads", "heads"), ("ffn_dim", "feedforward"))
    }
    config = PegasusConfig(
        vocab_size=task["vocabulary"], d_model=shape["width"], encoder_layers=shape["encoder_layers"], decoder_layers=shape["decoder_layers"],
        max_position_embeddings=shape["max_tokens"], activation_function="relu", scale_embedding=True, pad_token_id=PAD, eos_token_id=EOS,
        bos_token_id=BOS, decoder_start_token_id=BOS, forced_eos_token_id=None, **sides,
    )  # fmt: skip
    model = PegasusForConditionalGeneration(config).eval()
    attention = {
        "attention.query_key_value": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "attention.output": ["self_attn.out_proj"],
        "attention_residual.norm": ["self_attn_layer_norm"],
    }
    cross = {
        "cross.query": ["encoder_attn.q_proj"],
        "cross.key_value": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
        "cross.output": ["encoder_attn.out_proj"],
        "cross_residual.norm": ["encoder_attn_layer_norm"],
    }
    feedforward = {"feedforward.inner": ["fc1"], "feedforward.outer": ["fc2"], "feedforward_residual.norm": ["final_layer_norm"]}
    parts = {"encoder": {**attention, **feedforward}, "decoder": {**attention, **cross, **feedforward}}
    weights = renamed(given, shape, "model.{side}", parts)
    weights["final_logits_bias"] = numpy.zeros((1, task["vocabulary"]), dtype=numpy.float32)
    for name in ("model.shared", "model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"):
        weights[f"{name}.weight"] = given["target_embedding.weight"]
    for side in ("encoder", "decoder"):
        weights[f"model.{side}.embed_positions.weight"] = given["positions"]
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    if precision == "bf16":
        model = model.bfloat16()

    def search(sources, limits):
        longest = max(map(len, sources))
        ids = torch.tensor([source + [PAD] * (longest - len(source)) for source in sources])
        found = model.generate(
            input_ids=ids, attention_mask=(ids != PAD).long(), num_beams=beam, do_sample=False, length_penalty=1.0,
            max_length=max(limits) + 1, early_stopping=False, bad_words_ids=[[PAD], [BOS], [UNK]],
        )  # fmt: skip
        return [[number for number in row if number > UNK] for row in found.tolist()]

    return search, None


def renamed(given, shape, stack, parts):
    """The weights of both stacks under another toolkit's names. `parts[side]`: ours -> theirs, several where ours is one joint projection."""
    weights = {}

    def copy(ours, theirs):
        for part in ("weight", "bias"):
            pieces = numpy.split(given[f"{ours}.{part}"], len(theirs))
            weights.update({f"{name}.{part}": piece.copy() for name, piece in zip(theirs, pieces)})

    for side in ("encoder", "decoder"):
        home = stack.format(side=side)
        copy(f"{side}_norm", [f"{home}.layer_norm"])
        for layer in range(shape[f"{side}_layers"]):
            for ours, theirs in parts[side].items():
                copy(f"{side}.{layer}.{ours}", [f"{home}.layers.{layer}.{name}" for name in theirs])
    return weights


def joeynmt(task, work, precision, beam, threads, at_once):
    from types import SimpleNamespace

    import torch
    from joeynmt import search as searches
    from joeynmt.batch import Batch
    from joeynmt.model import build_model
    from joeynmt.vocabulary import Vocabulary

    torch.set_num_threads(threads)
    shape, given = task["model"], numpy.load(work / "weights.npz")
    # its special ids are fixed, in another order: ours -> its
    special = SimpleNamespace(
        unk_id=0, unk_token="<unk>", pad_id=1, pad_token="<pad>", bos_id=2, bos_token="<s>", eos_id=3, eos_token="</s>",
        sep_id=None, sep_token=None, lang_tags=[],
    )  # fmt: skip
    theirs = [special.pad_id, special.bos_id, special.eos_id, special.unk_id]
    vocabulary = Vocabulary([f"p{number}" for number in range(4, task["vocabulary"])], special)

    def stack(side):
        return {
            "type": "transformer", "num_layers": shape[f"{side}_layers"], "num_heads": shape["heads"], "hidden_size": shape["width"],
            "ff_size": shape["feedforward"], "dropout": 0.0, "layer_norm": "pre",
            "embeddings": {"embedding_dim": shape["width"], "scale": True, "dropout": 0.0},
        }  # fmt: skip

    settings = {"tied_embeddings": True, "tied_softmax": True, "encoder": stack("encoder"), "decoder": stack("decoder")}
    model = build_model(settings, vocabulary, vocabulary).eval()

    def attention(ours, theirs, norm, joint):
        names = [f"{theirs}.{letter}_layer" for letter in "qkv"]
        projections = {f"{ours}.query_key_value": names} if joint else {f"{ours}.query": names[:1], f"{ours}.key_value": names[1:]}
        return {**projections, f"{ours}.output": [f"{theirs}.output_layer"], f"{ours}_residual.norm": [norm]}

    feedforward = {
        "feedforward.inner": ["feed_forward.pwff_layer.0"],
        "feedforward.outer": ["feed_forward.pwff_layer.3"],
        "feedforward_residual.norm": ["feed_forward.layer_norm"],
    }
    encoder = {**attention("attention", "src_src_att", "layer_norm", True), **feedforward}
    own, cross = attention("attention", "trg_trg_att", "x_layer_norm", True), attention("cross", "src_trg_att", "dec_layer_norm", False)
    weights = renamed(given, shape, "{side}", {"encoder": encoder, "decoder": {**own, **cross, **feedforward}})
    embedding = given["target_embedding.weight"].copy()
    embedding[theirs] = given["target_embedding.weight"][: len(theirs)]
    for name in ("src_embed.lut", "trg_embed.lut", "decoder.output_layer"):
        weights[f"{name}.weight"] = embedding
    missing = model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    assert not missing.unexpected_keys and all("pe" in name.split(".") for name in missing.missing_keys), missing

    def search(sources, limits):
        longest = max(map(len, sources))
        rows = [[theirs[number] if number <= UNK else number for number in source] for source in sources]
        ids = torch.tensor([row + [special.pad_id] * (longest - len(row)) for row in rows])
        lengths = torch.tensor([len(source) for source in sources])
        where = (torch.arange(len(ids)), torch.device("cpu"), special.pad_id, special.eos_id)
        batch = Batch(ids, lengths, None, None, None, *where, is_train=False)
        found, _, _ = searches.search(model=model, batch=batch, max_output_length=max(limits), beam_size=beam, beam_alpha=1.0, generate_unk=False)
        ended = [row[: row.index(special.eos_id)] if special.eos_id in row else row for row in found.tolist()]
        return [[number for number in row if number > UNK] for row in ended]

    return search, None


if __name__ == "__main__":
    main()
