"""A MarianMT folder with random weights, as Hugging Face's transformers writes it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import sentencepiece
import torch

from translate.phrasebook import pairs

SIZES = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48, "max_position_embeddings": 64, "activation_function": "swish", "scale_embedding": True, "init_std": 0.3,
}  # fmt: skip


def spm(lines: list[str], kind: str) -> bytes:
    """With the special pieces where OPUS-MT has them: <unk> 0, <s> 1, </s> 2, no <pad>."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=300, model_type=kind, num_threads=1, minloglevel=4
    )
    return model.getvalue()


def numbers(*models: bytes) -> dict[str, int]:
    """vocab.json: </s> and <unk> first, <pad> last."""
    found = ["</s>", "<unk>"]
    for model in models:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        found += [processor.id_to_piece(n) for n in range(len(processor)) if not processor.is_control(n) and not processor.is_unknown(n)]
    return {piece: number for number, piece in enumerate([*dict.fromkeys(found), "<pad>"])}


def write_marian(folder: Path, shared: bool = True, kind: str = "unigram", pickled: bool = False, **settings: object) -> Path:
    """shared: one vocabulary for both sides. settings: of MarianConfig, instead of SIZES."""
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir(parents=True)
    corpus = pairs("train")[:3000]
    models = [spm([pair[side] for pair in corpus], kind) for side in (0, 1)]
    for name, model in zip(("source.spm", "target.spm"), models):
        (folder / name).write_bytes(model)
    vocabularies = [numbers(*models)] * 2 if shared else [numbers(model) for model in models]
    for name, vocabulary in zip(("vocab.json", *(() if shared else ("target_vocab.json",))), vocabularies):
        (folder / name).write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    about = {"source_lang": "de", "target_lang": "en", "separate_vocabs": not shared, "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    if not shared:  # <pad> must have one number for both sides
        assert len(vocabularies[0]) == len(vocabularies[1])
    pad = len(vocabularies[1]) - 1
    special = {"pad_token_id": pad, "decoder_start_token_id": pad, "eos_token_id": 0, "forced_eos_token_id": None, "bos_token_id": 0}
    sizes = {"vocab_size": len(vocabularies[0]), "decoder_vocab_size": len(vocabularies[1]), "share_encoder_decoder_embeddings": shared}
    torch.manual_seed(7)
    model = MarianMTModel(MarianConfig(**{**SIZES, **special, **sizes, **settings})).eval()
    with torch.no_grad():
        model.final_logits_bias.normal_(std=0.5)
        for parameter in model.parameters():
            if parameter.dim() == 1:  # norms and biases are 1 and 0 at first
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    if pickled:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder
