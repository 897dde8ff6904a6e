"""The command ``msm4sr``. Heavy libraries load inside the commands, so ``--help`` is quick."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from msm4sr_lite.cli.flags import add_flags
from msm4sr_lite.config import (
    DataConfig,
    FeatureConfig,
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    UserError,
)
from msm4sr_lite.study.budget import Budget

COMMANDS = {
    "convert": "turn a public data set (Amazon, MovieLens, RecBole, H&M) into a shop folder",
    "keywords": "turn every picture into its N best dictionary words (CLIP)",
    "features": "turn sentences and keywords into vectors (BERT)",
    "pretrain": "contrastive pre-training, without item ids",
    "finetune": "fine-tune the pre-trained model on the shop, with item ids",
    "evaluate": "rank the whole catalogue on the test split, beside baselines",
    "recommend": "recommend for a customer or a basket, with what describes each item",
    "study": "compare models on a shop: same data, budget, statistics",
    "run": "keywords, features, pretrain, finetune, evaluate: all in order",
    "train-clip": "train a small CLIP-like model on a labelled picture folder",
    "plot": "draw the curves of a run's trainings (PNG)",
    "doctor": "check this machine",
}


# What `msm4sr keywords` asks of FeatureConfig; the rest belongs to `msm4sr features`.
SEEN = ("n_keywords", "max_images", "prompt", "threshold", "diversity")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; settings become flags with their meaning and default."""
    parser = argparse.ArgumentParser(
        prog="msm4sr", description="Multimodal sequential recommendation for a shop folder."
    )
    sub = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    p = {
        name: sub.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, text in COMMANDS.items()
    }

    p["study"].add_argument(
        "part",
        choices=("tune", "main", "cold", "ablations", "transfer", "all"),
        help="which part; all: main, cold, and the ablations of what the paper adds",
    )
    shop_commands = ("keywords", "features", "pretrain", "finetune", "evaluate", "recommend")
    for name in (*shop_commands, "study", "run"):
        dataset = p[name].add_argument_group("dataset")
        dataset.add_argument("dataset", type=Path, metavar="SHOP", help="the shop folder")
        dataset.add_argument("--domain", default="", help="only items of this department")
        dataset.add_argument(
            "--drop-unknown", action="store_true", help="leave out purchases of unlisted items"
        )
    for name in ("keywords", "features", "pretrain", "finetune", "run"):
        p[name].add_argument(
            "--out", type=Path, required=True, metavar="DIR", help="the run folder"
        )
    for name in ("pretrain", "finetune", "evaluate", "recommend", "study", "run"):
        p[name].add_argument(
            "--features",
            type=Path,
            metavar="DIR",
            help="ready-made features (default: those of the run folder, else of the shop folder)",
        )
    for name, parser_ in p.items():
        parser_.add_argument("--json", action="store_true", help="print one JSON object")
        if name not in ("convert", "plot", "doctor"):
            parser_.add_argument(
                "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto"
            )
            if name != "study":  # it has --seeds
                parser_.add_argument("--seed", type=int, default=0, help="default: 0")

    for name in ("pretrain", "finetune", "run"):
        p[name].add_argument(
            "--preset",
            choices=("paper", "authors", "tuned"),
            default="paper",
            help="paper: the method (default); authors: the released code with its defects; tuned:"
            " the method with what our validation favours",
        )
    for name in ("keywords", "run"):
        p[name].add_argument(
            "--clip", help="CLIP-like model, folder or hub id (default: CLIP ViT-B/32)"
        )
        p[name].add_argument(
            "--dictionary",
            default="visual+shop",
            help="visual, shop, column:NAME (labels in the item file) or a file, one word per line;"
            " several: join by + (default: visual+shop)",
        )
        p[name].add_argument(
            "--workers",
            type=int,
            default=min(8, os.cpu_count() or 1),
            metavar="N",
            help="threads that open pictures while CLIP works (default: one a core, at most 8)",
        )
    for name in ("features", "run"):
        p[name].add_argument(
            "--text-encoder", help="BERT-like model, folder or hub id (default: all-MiniLM-L6-v2)"
        )
    p["features"].add_argument(
        "--check", action="store_true", help="encode again and compare with what is stored"
    )
    add_flags(p["keywords"], FeatureConfig, only=SEEN)
    add_flags(p["features"], FeatureConfig, only=("max_sentences", "pooling", "image_slots"))
    add_flags(p["pretrain"], DataConfig)
    add_flags(p["pretrain"], ModelConfig, skip=("feature_dim", "n_items"))
    add_flags(p["pretrain"], PretrainConfig)
    add_flags(p["finetune"], DataConfig)
    add_flags(p["finetune"], FinetuneConfig)
    for config in (DataConfig, FeatureConfig):
        add_flags(p["run"], config)
    add_flags(p["run"], ModelConfig, skip=("feature_dim", "n_items"))
    add_flags(p["run"], PretrainConfig, prefix="pretrain_")
    add_flags(p["run"], FinetuneConfig, prefix="finetune_")

    for name in ("evaluate", "recommend"):
        p[name].add_argument(
            "--model",
            type=Path,
            required=True,
            metavar="DIR",
            help="a run folder or a model folder",
        )
    for name in ("evaluate", "run"):
        p[name].add_argument(
            "--baselines", default="popularity,item_knn", help="comma-separated (default: all)"
        )
        p[name].add_argument(
            "--filter-seen",
            choices=("no", "yes", "both"),
            default="no",
            help="leave bought items out of the ranking (default: no, as in the paper's protocol)",
        )
    p["evaluate"].add_argument(
        "--candidates",
        type=Path,
        metavar="FILE",
        help="only these items compete with each test item: one item_id a line (default: all)",
    )
    who = p["recommend"].add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="a user_id of the shop")
    who.add_argument("--basket", help="item ids, oldest first, separated by commas")
    p["recommend"].add_argument("-k", type=int, default=10, help="how many (default: 10)")
    p["recommend"].add_argument(
        "--no-new-items",
        action="store_true",
        help="never recommend items that came to the shop after the training",
    )
    p["recommend"].add_argument(
        "--why",
        nargs="?",
        const="parts",
        choices=("parts", "words"),
        help="what speaks for each item: purchases, sentences, pictures (parts, the default) and"
        " also the keywords of the pictures (words: the text encoder reads them again)",
    )
    clip = p["train-clip"]
    clip.add_argument(
        "folder", type=Path, metavar="LABELLED_FOLDER", help="folder of labels.csv and images"
    )
    clip.add_argument("--out", type=Path, required=True, metavar="DIR", help="new model folder")
    clip.add_argument(
        "--columns",
        default="",
        help="label columns, comma-separated (default: those with few different, short values)",
    )
    clip.add_argument("--epochs", type=int, default=60, help="largest number (default: 60)")
    clip.add_argument(
        "--width",
        type=float,
        default=0.5,
        help="factor of the image encoder's channels: 0.25 takes half the time (default: 0.5)",
    )
    clip.add_argument(
        "--n-test",
        type=int,
        default=0,
        help="number of images held out for testing (default: 0)",
    )
    p["plot"].add_argument("run_folder", type=Path, metavar="RUN", help="the run folder")
    p["plot"].add_argument(
        "--out", type=Path, metavar="FILE", help="the picture (default: RUN/curves.png)"
    )
    _add_convert(p["convert"])
    _add_study(p["study"])
    return parser


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where runs are kept (default: runs/study-SHOP)"
    )
    parser.add_argument("--quick", action="store_true", help="minutes: few epochs, one seed")
    parser.add_argument("--models", default="", help="comma-separated (default: all that can)")
    parser.add_argument("--seeds", type=int, default=3, help="how many test (default: 3)")
    parser.add_argument(
        "--jobs", type=int, default=1, help="trainings at once, a core each (default: 1)"
    )
    parser.add_argument(
        "--recipes", type=Path, metavar="FILE", help="frozen settings (default: DIR/recipes.json)"
    )
    parser.add_argument(
        "--source",
        default="",
        help="transfer: what to pre-train on, departments of SHOP or folders of other shops,"
        " comma-separated",
    )
    parser.add_argument(
        "--target",
        default="",
        help="transfer: department to use the model in (default: all of SHOP, if other shops are"
        " the source)",
    )
    parser.add_argument("--clip", help="CLIP-like model, for the ablation with its raw vectors")
    add_flags(parser, DataConfig)
    add_flags(parser, Budget)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder or the main file")
    parser.add_argument(
        "--from",
        dest="format",
        choices=("amazon-2018", "amazon-2023", "movielens", "recbole", "hm"),
        default="",
        help="the format (default: told by the names of the files)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="SHOP", help="the shop folder to write"
    )
    parser.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="the file of items (default: beside the main file)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="pictures, named by item id, in it or in folders below (default: none; H&M: images/)",
    )
    parser.add_argument(
        "--copy-images", action="store_true", help="copy pictures, do not link them"
    )
    parser.add_argument(
        "--min-rating", type=float, help="leave out ratings below (default: keep all)"
    )
    parser.add_argument(
        "--level", choices=("article", "product"), help="H&M: what an item is (default: article)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the folder at --out, whatever it holds"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line and exit code 2."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    module = (
        "pipeline"
        if args.command in ("keywords", "features", "pretrain", "finetune", "run")
        else args.command.replace("-", "_")
    )
    try:
        command = import_module(f"msm4sr_lite.cli.{module}")
        return int(command.main(args) or 0)
    except UserError as error:
        rank = os.environ.get("RANK", "0")
        who = "" if rank == "0" else f" (process {rank})"
        print(f"msm4sr {args.command}{who}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to
        if error.filename is None:
            raise
        print(f"msm4sr {args.command}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"msm4sr {args.command}: stopped; finished work is kept, run it again to go on",
            file=sys.stderr,
        )
        return 130
