"""One page of tables per study, and their index, from the JSON files in ``docs/results``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.study import pages
from msm4sr_lite.study.pages import comparison_rows, heading, notes, result_table, with_interval

# Those of `msm4sr study`, and of benchmarks.studies.mixup.
PARTS = {**pages.PARTS, "mixup": "models with and without mixup"}

# Names in the JSON files, and on pages and in figures.
NAMES = {
    "ensemble": "M²SE tuned in its score ensemble",
    "msm4sr_tuned": "M²SE, preset tuned",
    "msm4sr": "M²SE, preset paper",
    "authors": "M²SE, preset authors",
    "msm4sr_tuned+whole": "M²SE tuned, pre-trained on more data",
    "msm4sr+whole": "M²SE paper, pre-trained on more data",
    "item_knn+msm4sr_tuned": "ItemKNN + M²SE tuned",
    "text+image": "sum of text and image embeddings",
    "text": "text only, from scratch",
    "image": "image only, from scratch",
    "unisrec": "UniSRec-like (texts, whitened)",
    "ids_ensemble": "score ensemble of id models",
    "sasrec": "SASRec (item ids)",
    "esasrec": "eSASRec-like (item ids)",
    "sasrec_exact": "SASRec, exact softmax",
    "sasrec_sampled": "SASRec, sampled softmax",
    "item_knn+tfidf": "ItemKNN + TF-IDF (score ensemble)",
    "item_knn": "ItemKNN",
    "ease": "EASE",
    "sequential_rules": "sequential rules",
    "tfidf_knn": "TF-IDF neighbours",
    "bert_knn": "BERT neighbours",
    "popularity": "popularity",
}
MEANINGS = {
    "ensemble": '`MSM4SR(preset="tuned", ensemble="auto")`: the tuned model, models of ids, texts'
    " and images alone, ItemKNN, sequential rules and text neighbours; weights from validation",
    "msm4sr_tuned": "the preset found on generated data: one expert, feature dropout, unseen items"
    " are no negatives",
    "msm4sr": "the method as published, pre-trained and fine-tuned",
    "authors": "the choices of the released code",
    "msm4sr_tuned+whole": "the same, pre-trained on the other domains, users and items as well",
    "msm4sr+whole": "the same, pre-trained on the other domains, users and items as well",
    "item_knn+msm4sr_tuned": "score ensemble of both",
    "text+image": "the same Transformer on the sum of both embeddings of an item, without"
    " pre-training",
    "text": "the same Transformer on one modality, without pre-training",
    "image": "the same Transformer on one modality, without pre-training",
    "sasrec": "the same Transformer on item ids, with the library's loss over all items",
    "ids_ensemble": "SASRec, ItemKNN, EASE and sequential rules; weights from validation",
    "unisrec": "the same Transformer on mean sentence embeddings, whitened, with a linear adaptor",
    "esasrec": "SASRec with gated Transformer layers",
    "sasrec_exact": "SASRec with the loss over all items",
    "sasrec_sampled": "SASRec with 256 sampled negatives, logQ-corrected",
    "item_knn+tfidf": "co-occurrence and text similarity, scores added; trains nothing",
    "item_knn": "co-occurrence of items in users' histories",
    "ease": "a linear model of item ids, in closed form",
    "sequential_rules": "what follows the newest items",
    "tfidf_knn": "items with texts like those of the history",
    "bert_knn": "the same with BERT's embeddings",
    "popularity": "the most popular items",
}


@dataclass(frozen=True)
class Study:
    """The results of one study: a folder of ``docs/results``.

    Attributes
    ----------
    name
        Name of the folder and of the page.
    about
        Content of ``about.json``, all of it optional: ``title``, ``label`` (what the data are
        called in figures), ``date``, ``commands``, ``notes``.
    parts
        Result of each part: ``main``, ``cold``, ``ablations``, ``transfer``, ``mixup``.
    """

    name: str
    about: dict[str, Any]
    parts: dict[str, dict[str, Any]]

    @property
    def first(self) -> dict[str, Any]:
        """The result of the first part."""
        return next(iter(self.parts.values()))

    @property
    def title(self) -> str:
        """Title of the page."""
        return str(self.about.get("title", self.name))

    @property
    def label(self) -> str:
        """Name of the data; studies with the same name share a panel of ablations."""
        first = self.first
        found = self.about.get("label")
        return str(found or " / ".join(filter(None, (first["dataset"], first.get("domain")))))

    @property
    def date(self) -> str:
        """Day of the newest access to the test part."""
        days = [
            entry["when"][:10] for p in self.parts.values() for entry in p.get("access_log", [])
        ]
        return str(self.about.get("date") or max(days, default=""))


def read_studies(results: Path) -> list[Study]:
    """Read every study folder in ``results``."""
    found = []
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        about = folder / "about.json"
        parts = {part: read(folder / f"{part}.json") for part in PARTS if has(folder, part)}
        if parts:
            found.append(Study(folder.name, read(about) if about.is_file() else {}, parts))
    return found


def has(folder: Path, part: str) -> bool:
    """Return whether a study folder has a part."""
    return (folder / f"{part}.json").is_file()


def read(path: Path) -> dict[str, Any]:
    """Read a JSON file."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    return found


def page(study: Study) -> str:
    """Return the page of a study."""
    files = ", ".join(f"[{p}.json](../results/{study.name}/{p}.json)" for p in study.parts)
    lines = [f"# {study.title}", f"Measured until {study.date}. Source: {files}."]
    lines += study.about.get("notes", [])
    if commands := study.about.get("commands"):
        lines.append("```\n" + "\n".join(commands) + "\n```")
    for part, result in study.parts.items():
        lines += [
            f"## {PARTS[part][0].upper()}{PARTS[part][1:]}",
            as_markdown(part, result).strip(),
        ]
    lines.append("[All studies](index.md), [answers in short](../results.md)")
    return "\n\n".join(lines) + "\n"


def index(studies: list[Study]) -> str:
    """Return the index of the studies, with the names of the models."""
    rows = {}
    for study in studies:
        first, seeds = study.first, [len(seeds_of(p)) for p in study.parts.values()]
        rows[f"[{study.title}]({study.name}.md)"] = {
            "users": f"{first['users']:,}",
            "items": f"{first['items']:,}",
            "test cases": f"{first['cases']:,}" if "cases" in first else "",
            "seeds": " to ".join(map(str, sorted({min(seeds), max(seeds)}))),
            "tables": ", ".join(study.parts),
            "date": study.date,
        }
    models = {f"`{name}`": {"model": NAMES[name], "what it is": MEANINGS[name]} for name in NAMES}
    return f"""# Studies

Every table behind [the results](../results.md). [The research log](../log.md) has earlier ones.
`python -m benchmarks.studies.results_page` writes these pages from the files in `docs/results/`.

{markdown(pd.DataFrame.from_dict(rows, orient="index"), "study")}

Tables: `main` compares all models, `cold` looks at new items, `ablations` changes one thing at a
time, `transfer` pre-trains on another domain, `mixup` changes the items of finished models.

## Names in the tables

{markdown(pd.DataFrame.from_dict(models, orient="index"), "name")}
"""


def seeds_of(result: dict[str, Any]) -> list[int]:
    """Return the test seeds of a result."""
    found: list[int] = result.get("seeds") or list(range(result["protocol"]["seeds"]))
    return found


def as_markdown(part: str, result: dict[str, Any]) -> str:
    """Return one part's result as a section of a page."""
    if "shares" in result:  # of benchmarks.studies.transfer_curve
        return learning_curve(result)
    if part == "mixup":
        return mixup_section(result)
    table = markdown(result_table(part, result), "NDCG@10" if part == "cold" else "")
    if part == "cold":
        return f"{heading(part, result)}\n\n{table}\n"
    kept = comparison_rows(result, "keep_seen")
    expected = {}
    for name, row in kept.items():
        model = result["models"][name]
        row |= {
            "coverage@10": f"{model['coverage@10']:.0%}",
            "popularity bias@10": f"{model['popularity_bias@10']:.2f}",
            "seconds": f"{model['seconds']:.0f}",
        }
        if share := model.get("share_of_upper_bound"):
            expected[name] = {
                "expected NDCG@10": f"{model['expected_ndcg@10']:.4f}",
                "share of the content bound": f"{share['content']:.0%}",
                "share of the oracle upper bound": f"{share['oracle']:.0%}",
            }
    columns = ["NDCG@10", "Recall@20", "coverage@10", "popularity bias@10", "seconds"]
    lines = [heading(part, result), "Items of the history filtered from the ranking:", table]
    lines.append("Items of the history kept in the ranking, and properties of the lists:")
    lines.append(markdown(pd.DataFrame.from_dict(kept, orient="index")[columns]))
    if expected:
        lines.append(markdown(pd.DataFrame.from_dict(expected, orient="index")))
    return "\n\n".join([*lines, notes(part, result)]) + "\n"


def learning_curve(result: dict[str, Any]) -> str:
    """Return a learning curve of transfer as a section of a page."""
    target, shot = result["target"], with_interval(result["zero_shot"]["ndcg@10"])
    text = (
        f"{result['dataset']}, from {result['source']} to {target}: {result['users']}"
        f" users, {result['items']} items, NDCG@10 on the test interactions of all users."
        f" Zero-shot, without training on {target}: {shot}."
    )
    rows = {
        f"{float(share):.0%}, {starts['users']}": {
            "pre-trained first": with_interval(starts["pretrained"]["ndcg@10"]),
            "from scratch": with_interval(starts["scratch"]["ndcg@10"]),
            "ratio": "" if starts["ratio"] is None else f"{starts['ratio']:.2f}",
            "difference": with_interval(starts["gain"]["ndcg@10"], "+"),
            "seeds": str(len(starts["gain"]["ndcg@10"]["seeds"])),
        }
        for share, starts in result["shares"].items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return f"{text}\n\n{markdown(table, 'users trained on')}\n"


def mixup_section(result: dict[str, Any]) -> str:
    """Return models with and without mixup, evaluated on changed items, as a section of a page."""
    text = (
        f"{result['dataset']}: {result['users']} users, {result['cases']} test cases, all"
        f" {result['items']} items ranked, items of the history filtered, NDCG@10, preset"
        f" `{result['preset']}`. p is corrected for all rows (Holm)."
    )
    rows = {}
    for key, change in result["with_minus_without"].items():
        found = change["ndcg@10"]
        rows[key] = {
            name: with_interval(model[key]["ndcg@10"]) for name, model in result["models"].items()
        }
        rows[key]["difference"] = ("≈ " if found["p_holm"] > 0.05 else "") + with_interval(
            found, "+"
        )
        rows[key]["p (Holm)"] = f"{found['p_holm']:.3f}"
    table = pd.DataFrame.from_dict(rows, orient="index")
    return f"{text}\n\n{markdown(table, 'model, and what is changed')}\n"


def markdown(table: pd.DataFrame, corner: str = "") -> str:
    """Return a table as Markdown; ``corner`` stands above the names of the rows."""
    rows = [[corner, *table.columns], ["---"] * (1 + len(table.columns))]
    rows += [[name, *cells] for name, cells in zip(table.index, table.to_numpy(), strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines[:2] = lines[0].replace("|  |", "| |"), lines[1].replace(" ", "")
    return "\n".join(lines)
