"""translate-nmt: train, run and score German-English Transformers (Vaswani et al. 2017)."""
