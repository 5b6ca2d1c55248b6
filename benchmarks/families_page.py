"""For families.py: its results as Markdown tables and pictures, beside them or in a page."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attention_cost
import families_cases as families

Results = dict[str, Any]  # by the name of a case or part
Rows = list[list[str]]
MISSING = "-"
SAME = 0.05  # share by which parameters may differ


def tables(results: Results) -> dict[str, str]:
    """Markdown of each part that has results."""
    found = {
        "multi30k": main_table(results, "multi30k"),
        "phrasebook": main_table(results, "phrasebook"),
        "scores": scores_table(results),
        "two_by_two": two_by_two_table(results),
        "context": context_table(results),
        "pairs": pairs_table(results),
        "cache": cache_table(results),
        "pretraining": results.get("pretraining", ""),
        "markov": markov_table(results),
        "attention": attention_cost.table(by_case(results["attention"])) if "attention" in results else "",
    }
    return {name: text for name, text in found.items() if text}


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """ "" without rows. The first column is on the left, the others on the right."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1), *lines]) if lines else ""


def number(value: float | None, form: str = ",.1f") -> str:
    return MISSING if value is None else format(value, form)


def bleu(result: Results | None, name: str | None = None, beam: int = 5, metric: str = "BLEU") -> float | None:
    """On a test set, by default the first."""
    sets = (result or {}).get(f"beam_{beam}", {}).get("sets", {})
    chosen = sets.get(name) if name else next(iter(sets.values()), None)
    return chosen["scores"].get(metric, {}).get("value") if chosen else None


def perplexity(result: Results) -> float | None:
    """Of the development set: of the weights that were chosen, else the best of all validations."""
    loss = result["report"].get("dev_loss", result.get("dev_loss"))
    return math.exp(loss) if loss is not None else None


def test_score(result: Results, metric: str) -> float | None:
    """On the first test set, of a model that doesn't translate."""
    sets = result.get("test", {}).get("sets", {})
    return next((values["scores"].get(metric, {}).get("value") for values in sets.values()), None)


def speed(result: Results, beam: int) -> float | None:
    """Sentences a second, over all test sets."""
    sets = result.get(f"beam_{beam}", {}).get("sets", {}).values()
    return sum(values["sentences"] for values in sets) / sum(values["seconds"] for values in sets) if sets else None


def main_table(results: Results, corpus: str) -> str:
    cases = {case.family: results[case.name] for case in families.PARTS[corpus] if case.name in results}
    sets = list(dict.fromkeys(name for result in cases.values() for name in result.get("beam_5", {}).get("sets", {})))
    head = ["family", "parameters", "steps", *(f"BLEU {name}" for name in sets), "chrF++", "perplexity", "training tokens/s",
            "sentences/s, beam 1", "beam 5", "MB in training", "in search"]  # fmt: skip
    most = cases.get("encoder_decoder", {}).get("report", {}).get("parameters")
    rows = []
    for family, result in cases.items():
        report = result["report"]
        search_mb = (result.get("beam_5") or result.get("test") or {}).get("search_mb")
        rows.append([
            f"`{family}`", parameters(report.get("parameters"), most), number(report.get("steps"), ",d"),
            *(number(bleu(result, name)) for name in sets),
            number(bleu(result, metric="chrF2++")), number(perplexity(result), ",.2f"), number(result["tokens_per_second"], ",.0f"),
            number(speed(result, 1), ",.0f"), number(speed(result, 5), ",.0f"), number(result["training_mb"], ",.0f"), number(search_mb, ",.0f"),
        ])  # fmt: skip
    return markdown(head, rows)


def parameters(count: int | None, expected: int | None) -> str:
    """With the difference to `expected`, where that is too great."""
    if count and expected and abs(count / expected - 1) > SAME:
        return f"{count:,} ({count / expected - 1:+.0%})"
    return number(count, ",d")


def scores_table(results: Results) -> str:
    rows = []
    for (family, title), cases in families.scored_cases().items():
        found = [results[case.name] for case in cases if case.name in results]
        if found:
            steps = statistics.mean(result["report"]["steps"] for result in found)
            rows.append(
                [f"`{family}`, {title}", *(spread([bleu(result, name) for result in found]) for name in ("test", "test_unseen")), f"{steps:,.0f}"]
            )
    return markdown(["family, score", "BLEU test", "BLEU test_unseen", "steps"], rows)


def spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return number(known[0] if known else None)
    return f"{statistics.mean(known):.1f} ± {statistics.stdev(known):.1f}"


def two_by_two_table(results: Results) -> str:
    def cell(cases: Iterable[families.Case]) -> str:
        return spread([bleu(results.get(case.name)) for case in cases])

    rows = [
        [f"`model.prefix={prefix}`", *(cell(families.two_by_two_cases(prefix, loss)) for loss in ("target", "all"))]
        for prefix in ("bidirectional", "causal")
    ]
    if all(text == MISSING for _, *cells in rows for text in cells):
        return ""
    rows.append(["the encoder-decoder", cell(families.cases_beside()), ""])
    whole, beside = (families.main_case("multi30k", family) for family in ("decoder_only", "encoder_decoder"))
    longer = {"`model.prefix=bidirectional`": whole, "`model.prefix=causal`": families.causal_case(), "the encoder-decoder": beside}
    rows += [[f"{title}, {families.MINUTES['multi30k']:g} minutes", cell([case]), ""] for title, case in longer.items()]
    return markdown(["BLEU", "`model.loss_on=target`", "`model.loss_on=all`"], rows)


def pairs_table(results: Results) -> str:
    names = families.TRANSLATE[:2]
    found = {pairs: [results.get(families.pairs_case(family, pairs).name) for family in names] for pairs in families.PAIRS}
    rows = [[f"{pairs:,}", *map(bleu_and_steps, values)] for pairs, values in found.items() if any(values)]
    return markdown(["pairs", *(f"BLEU `{name}` (steps)" for name in names)], rows)


def bleu_and_steps(result: Results | None) -> str:
    return f"{number(bleu(result))} ({result['report']['steps']:,})" if result else MISSING


def context_table(results: Results) -> str:
    rows = [[f"{row['context']}", f"{row['fit']:.0%}", number(row["BLEU"]), number(row["chrF2++"])] for row in results.get("context", ())]
    return markdown(["tokens in view", "pairs that fit", "BLEU", "chrF++"], rows)


def cache_table(results: Results) -> str:
    columns = [(family, way) for family, rows in results.get("cache", {}).items() for way in rows[0] if way != "tokens"]
    lengths = sorted({row["tokens"] for rows in results.get("cache", {}).values() for row in rows})
    times = {(family, row["tokens"]): row for family, rows in results.get("cache", {}).items() for row in rows}
    rows = [[f"{length}", *(number(times.get((family, length), {}).get(way), ",.0f") for family, way in columns)] for length in lengths]
    return markdown(["tokens", *(f"`{family}`, {way}" for family, way in columns)], rows)


def markov_table(results: Results) -> str:
    rows, samples = [], []
    cases = [*((f"order {order}", families.markov_case(order)) for order in families.ORDERS), ("language model", families.PARTS["markov"][-1])]
    for title, case in cases:
        if result := results.get(case.name):
            counts = result["report"].get("ngrams", [{}])[-1]  # of the highest order
            scores = [number(test_score(result, metric)) for metric in ("perplexity", "word perplexity")]
            rows.append([title, number(counts.get("seen"), ",d"), powers(counts.get("possible")), *scores])
            samples += [f"- {title}: {sample}" for sample in result.get("samples", [])[:1]]
    table = markdown(["", "entries seen", "entries possible", "perplexity per piece", "per word"], rows)
    return "\n".join([table, "", *samples]) if samples else table


def powers(value: float | None) -> str:
    """Such as 4,000 or 6.4e10."""
    return number(value, ",d" if value and value < 1e6 else ".2g").replace("e+0", "e").replace("e+", "e")


def by_case(rows: list[Results]) -> attention_cost.Results:
    return {(row["way"], row["pass"], row["length"]): row for row in rows}


def write(texts: dict[str, str], results: Results, output: Path, page: Path | None) -> None:
    """tables.md and pictures in `output`; and in the place of each `<!-- table: NAME -->` of `page` the table, with the picture beside the page."""
    (output / "tables.md").write_text("".join(f"## {name}\n\n{text}\n\n" for name, text in texts.items()), encoding="utf-8")
    drawn = pictures(results, page.parent if page else output)
    if page:
        text = page.read_text(encoding="utf-8")
        for name, table in texts.items():
            picture = f"\n\n![{drawn[name][1]}]({drawn[name][0].name})" if name in drawn else ""
            block = f"<!-- table: {name} -->\n{table}{picture}\n<!-- end -->"
            text = re.sub(rf"<!-- table: {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        page.write_text(text, encoding="utf-8")


def pictures(results: Results, folder: Path) -> dict[str, tuple[Path, str]]:
    """Draws what there is: part -> file and description."""
    found = {}
    if "attention" in results:
        found["attention"] = folder / "attention_cost.svg", "Time and memory of attention against length, both axes logarithmic"
        attention_cost.draw(by_case(results["attention"]), found["attention"][0])
    lines: dict[str, list[tuple[float, float]]] = {}
    for family in families.TRANSLATE[:2]:
        points = [(pairs, bleu(results.get(families.pairs_case(family, pairs).name))) for pairs in families.PAIRS]
        lines[family] = [(x, y) for x, y in points if y is not None]
    if all(len(points) > 1 for points in lines.values()):
        found["pairs"] = folder / "families_pairs.svg", "BLEU against the number of pairs"
        draw(lines, found["pairs"][0], "pairs", "BLEU", x_log=True)
    if "context" in results:
        found["context"] = folder / "families_context.svg", "BLEU against the tokens in view"
        whole = bleu(results.get("multi30k_decoder_only"), beam=1)
        rows = [(row["context"], row["BLEU"]) for row in results["context"]]
        draw({"decoder_only": rows, **({"the whole text": [(x, whole) for x, _ in rows]} if whole else {})}, found["context"][0],
             "tokens in view", "BLEU", x_log=True)  # fmt: skip
    if "cache" in results:
        found["cache"] = folder / "families_cache.svg", "Time of a sentence against its length, with and without kept keys"
        lines = {
            f"{family}, {way}": [(row["tokens"], row[way]) for row in rows]
            for family, rows in results["cache"].items() for way in rows[0] if way != "tokens"
        }  # fmt: skip
        draw(lines, found["cache"][0], "tokens of source and of target", "ms", x_log=True, y_log=True)
    chains = {order: results.get(families.markov_case(order).name) for order in families.ORDERS}
    orders = [(order, test_score(result, "perplexity")) for order, result in chains.items() if result]
    if known := [(order, value) for order, value in orders if value is not None]:
        found["markov"] = folder / "families_markov.svg", "Perplexity against the order of the Markov chain"
        model = results.get("multi30k_language_model")
        level = test_score(model, "perplexity") if model else None
        levels = {"language model": [(order, level) for order, _ in known]} if level else {}
        draw({"Markov chain": known, **levels}, found["markov"][0], "order", "perplexity per piece")
    return found


def draw(lines: dict[str, list[Any]], path: Path, along: str, up: str, x_log: bool = False, y_log: bool = False) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    pyplot.rcParams["svg.hashsalt"] = path.name  # the same picture from the same numbers
    figure, axis = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    for name, points in lines.items():
        axis.plot(*zip(*points), "o-", label=name)
    axis.set(xlabel=along, ylabel=up, xscale="log" if x_log else "linear", yscale="log" if y_log else "linear")
    ticks = sorted({x for points in lines.values() for x, _ in points})
    axis.set_xticks(ticks, [f"{x:,}" for x in ticks])
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
