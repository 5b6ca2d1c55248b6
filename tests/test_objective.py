"""The loss, in chunks and plain, against torch's own cross-entropy, value and gradient."""

from __future__ import annotations

import pytest
import torch

from translate.kernels import loss as chunked
from translate.kernels.loss import chunked_loss, chunked_twin_loss
from translate.tokenizer import PAD
from translate.training.loss import loss_sum

VARIANTS = ["plain", 4, 512]  # without kernels, in several chunks, in one


def choose(monkeypatch, variant) -> None:
    if variant == "plain":
        monkeypatch.setenv("TRANSLATE_KERNELS", "plain")
    else:
        monkeypatch.setattr(chunked, "ROWS", variant)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_torch_cross_entropy(monkeypatch, smoothing, variant):
    choose(monkeypatch, variant)
    torch.manual_seed(2)
    features, weight = torch.randn(4, 5, 8, dtype=torch.double, requires_grad=True), torch.randn(11, 8, dtype=torch.double, requires_grad=True)
    labels = torch.randint(1, 11, (4, 5))
    labels[1, 2:] = labels[3, 4:] = PAD
    smoothed, plain = loss_sum(features, weight, labels, smoothing)
    (smoothed / 7).backward()
    ours = features.grad.clone(), weight.grad.clone()
    features.grad = weight.grad = None
    logits = (features @ weight.T).flatten(0, 1)
    cross_entropy = torch.nn.functional.cross_entropy
    expected = cross_entropy(logits, labels.flatten(), ignore_index=PAD, reduction="sum", label_smoothing=smoothing)
    (expected / 7).backward()
    assert smoothed.item() == pytest.approx(expected.item(), rel=1e-5)
    assert plain.item() == pytest.approx(cross_entropy(logits, labels.flatten(), ignore_index=PAD, reduction="sum").item(), rel=1e-5)
    torch.testing.assert_close(ours[0], features.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours[1], weight.grad, atol=1e-5, rtol=1e-4)
    assert not ours[0][1, 2:].any()  # no gradient from padding


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("variant", VARIANTS)
def test_r_drop_equals_its_equation_on_torch_functions(monkeypatch, smoothing, variant):
    choose(monkeypatch, variant)
    torch.manual_seed(4)
    features, weight = torch.randn(8, 5, 8, dtype=torch.double, requires_grad=True), torch.randn(11, 8, dtype=torch.double, requires_grad=True)
    labels, alpha = torch.randint(1, 11, (4, 5)), 3.0
    labels[1, 2:] = labels[3, 4:] = PAD
    loss, plain = loss_sum(features, weight, labels, smoothing, alpha)
    assert loss.requires_grad and not plain.requires_grad
    (loss / 7).backward()
    ours = features.grad.clone(), weight.grad.clone()
    features.grad = weight.grad = None
    functional, real = torch.nn.functional, labels != PAD
    first, second = ((half @ weight.T)[real] for half in features.chunk(2))

    def cross_entropy(smoothing):
        return sum(functional.cross_entropy(half, labels[real], reduction="sum", label_smoothing=smoothing) for half in (first, second)) / 2

    p, q = first.log_softmax(-1), second.log_softmax(-1)
    divergence = functional.kl_div(q, p, reduction="sum", log_target=True) + functional.kl_div(p, q, reduction="sum", log_target=True)
    expected = cross_entropy(smoothing) + alpha / 4 * divergence
    (expected / 7).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9) and plain.item() == pytest.approx(cross_entropy(0.0).item(), rel=1e-9)
    torch.testing.assert_close(ours[0], features.grad)
    torch.testing.assert_close(ours[1], weight.grad)


def test_r_drop_without_dropout_is_the_plain_loss():
    """Both halves are the same then: nothing to draw together."""
    torch.manual_seed(5)
    features, weight, labels = torch.randn(4, 5, 8, requires_grad=True), torch.randn(11, 8), torch.randint(1, 11, (4, 5))
    plain, twice = loss_sum(features, weight, labels, 0.1)[0], loss_sum(features.repeat(2, 1, 1), weight, labels, 0.1, 5.0)[0]
    assert twice.item() == pytest.approx(plain.item(), rel=1e-5)
    gradients = [torch.autograd.grad(loss, features)[0] for loss in (plain, twice)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("r_drop", [0.0, 4.0])
def test_bf16_products_keep_the_loss_and_the_gradient(r_drop):
    torch.manual_seed(3)
    weight, labels = torch.randn(300, 64) / 8, torch.randint(1, 300, (4, 50))
    features = torch.randn(8 if r_drop else 4, 50, 64)
    labels[:, 40:] = PAD

    def gradients(precision):
        inputs = features.clone().requires_grad_(), weight.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
            smoothed, _ = loss_sum(*inputs, labels, 0.1, r_drop)
        smoothed.backward()
        return smoothed.item(), [tensor.grad for tensor in inputs]

    exact, exact_gradients = gradients(torch.float32)
    loss, found = gradients(torch.bfloat16)
    assert loss == pytest.approx(exact, rel=2e-3)
    for ours, expected in zip(found, exact_gradients):
        assert ours.dtype == torch.float32 and (ours - expected).norm() < 0.01 * expected.norm()


@pytest.mark.parametrize("r_drop", [0.0, 3.0])
def test_rows_that_are_left_out_or_multiplied_by_0_are_the_same(r_drop):
    """As on a GPU, where all rows stay."""
    torch.manual_seed(6)
    halves, weight, labels = (
        torch.randn(2, 20, 8, dtype=torch.double, requires_grad=True),
        torch.randn(11, 8, dtype=torch.double, requires_grad=True),
        torch.randint(1, 11, (20,)),
    )
    real = torch.rand(20) < 0.7

    def found(*rows):
        if r_drop:
            loss, plain = chunked_twin_loss(*(rows[0]), weight, *rows[1:], 0.1, r_drop)
        else:
            loss, plain = chunked_loss(rows[0][0], weight, *rows[1:], 0.1)
        return loss, plain, *torch.autograd.grad(loss, (halves, weight))

    torch.testing.assert_close(found(halves, labels, real), found(halves[:, real], labels[real], real[real]))


def test_a_uniform_model_loses_the_logarithm_of_the_vocabulary():
    features, weight = torch.zeros(2, 3, 4), torch.randn(50, 4)
    labels = torch.full((2, 3), 7)
    smoothed, plain = loss_sum(features, weight, labels, 0.1)
    expected = 6 * torch.log(torch.tensor(50.0)).item()
    assert plain.item() == pytest.approx(expected, rel=1e-5) and smoothed.item() == pytest.approx(expected, rel=1e-5)
