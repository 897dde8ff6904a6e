"""Define all flags and commands of ``msm4sr`` in two tables, and build the parser from them."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msm4sr_lite import __version__
from msm4sr_lite.cli.parser import CommandParser, Parser, add_settings, argument_type
from msm4sr_lite.presets import PRESETS

Flag = dict[str, Any]  # options of ``add_argument``, and ``shown``, the default shown in the help


def switch(help: str, shown: str = "") -> Flag:
    """Describe a flag without a value."""
    return {"help": help, "shown": shown, "action": "store_true"}


def path(help: str, metavar: str = "FILE", shown: str = "", required: bool = False) -> Flag:
    """Describe a flag for a file or a folder."""
    flag = {"help": help, "shown": shown, "type": Path, "metavar": metavar}
    return flag | ({"required": True} if required else {})


def number(help: str, default: int | None, shown: str = "%(default)s", name: str = "") -> Flag:
    """Describe a flag for the number that ``ARGUMENTS`` declares under this name."""
    kind = argument_type(name)
    return {"help": help, "shown": shown, "type": kind, "default": default, "metavar": "N"}


def text(help: str, shown: str = "", metavar: str = "NAMES", default: str = "") -> Flag:
    """Describe a flag for a name, or for several that are joined by commas."""
    shown = "%(default)s" if default else shown
    return {"help": help, "shown": shown, "default": default or None, "metavar": metavar}


def choice(help: str, *choices: str) -> Flag:
    """Describe a flag for one of some words; the first is the default."""
    return {"help": help, "shown": "%(default)s", "choices": choices, "default": choices[0]}


COMPUTED = "DATA/features if it fits, else computed"
FLAGS = {
    "data": path("dataset folder", "DATA"),
    "--domain": text("domain to use", "all", "NAME"),
    "--drop-unknown": switch("drop interactions with unlisted items", "an error"),
    "--rename": text(
        "columns with other names: NAME=COLUMN,..., such as sku=item_id", "none", "LIST"
    )
    | {"action": "append"},
    "--out": path("run folder", "RUN", required=True),
    "--model": path("run folder or model folder", "DIR", required=True),
    "--features": path("folder of precomputed features", "DIR", COMPUTED),
    "--text-encoder": text("BERT-like model: folder or hub id", "all-MiniLM-L6-v2", "MODEL"),
    "--clip": text("CLIP-like model: folder or hub id", "CLIP ViT-B/32", "MODEL"),
    "--dictionary": text(
        "candidate keywords: visual, texts, column:NAME or a file with one per line; several"
        " joined by +",
        metavar="LIST",
        default="visual+texts",
    ),
    "--preset": choice(
        "settings to start from: the method as described (paper), settings found on"
        " generated data (tuned), the released code with its known errors (authors)",
        *PRESETS,
    ),
    "--ensemble": choice("score ensemble with parts that help on validation", "auto", "none")
    | {"default": None, "shown": "the preset's"},
    "--seed": number("random seed", 0, name="seed"),
    "--device": choice("device to compute on; auto: a GPU if there is one", "auto", "cpu", "cuda"),
    "--json": switch("print one JSON object instead of text"),
    "--baselines": text("comma-separated baselines to compare", "popularity,item_knn"),
    "--all-data": switch("train on every interaction, for use; nothing is evaluated"),
    "--part": choice(
        "held-out part to predict; a use of test is entered in the access log", "valid", "test"
    ),
    "--filter-seen": choice(
        "whether items of a user's history are filtered from the ranking", "yes", "no", "both"
    ),
    "--candidates": path("file of items to rank beside each target, one id per line", shown="all"),
    # recommend
    "--user": text("user_id of the dataset", "", "ID"),
    "--items": text("history: comma-separated item_ids, oldest first", "", "IDS"),
    "--all-users": path("output file for all users: .csv, .jsonl or .parquet"),
    "-k": number("number of items per user", 10, name="k"),
    "--exclude": path("file of items never to recommend, one item_id per line", shown="none"),
    "--keep-seen": switch("also recommend items of the history"),
    "--no-new-items": switch("never recommend items that were added after training"),
    "--on-unknown-user": choice(
        "what to do for a user without a known item: popular items, an error, or no items",
        *("popular", "error", "skip"),
    )
    | {"default": None, "shown": "popular; with --user: error"},
    "--why": {
        "nargs": "?",
        "const": "inputs",
        "choices": ("inputs", "keywords"),
        "help": "reasons for each score: the interactions, sentences and images that moved it"
        " (inputs), or also single keywords, which the text encoder encodes again (keywords)",
    },
    "part": {
        "choices": ("tune", "main", "cold", "ablations", "transfer", "all"),
        "metavar": "PART",
        "help": "tune (choose settings), main (compare models), cold (cold items), ablations,"
        " transfer, or all: main, cold, ablations of the paper's claims, transfer with --source",
    },
    "--quick": switch(
        "a study of minutes: few epochs, one seed, eight models; with PART all, only main runs, and"
        " transfer if --source is given"
    ),
    "--models": text("comma-separated models, or variants for ablations", "all that can run"),
    "--seeds": number("number of test seeds", 3, name="n_seeds"),
    "--jobs": number("number of trainings at the same time, one core each", 1, name="jobs"),
    "--configs": path("file of chosen settings", shown="DIR/configs.json"),
    "--source": text("transfer: comma-separated domains or dataset folders to pre-train on", ""),
    "--target": text("transfer: domain to evaluate the model in", "all", "NAME"),
    "source": path("downloaded folder or file", "SOURCE"),
    "--from": choice("source format", "amazon-2018", "amazon-2023", "movielens", "recbole", "hm")
    | {"dest": "format", "default": "", "shown": "recognised by the file names"},
    "--for": choice("purpose of this machine", "library", "course", "development")
    | {"dest": "purpose", "default": None, "shown": "course in the repository, else library"},
    "--images": path("folder of images named by item id", "DIR", "none; H&M: images/"),
    "--copy-images": switch("copy the images", "hard links"),
    "--min-rating": number("lowest rating kept, in the source's unit", None, "all", "min_rating"),
    "--level": choice("H&M: what an item is", "article", "product")
    | {"default": None, "shown": "article"},
    "--force": switch("replace any folder at --out", "an error"),
    "folder": path("folder with labels.csv and images", "LABELLED"),
    "--columns": text("comma-separated label columns", "those with few different, short values"),
    "--n-test": number("number of images held out for testing", 0, name="n_test"),
    "run_folder": path("run folder", "RUN"),
    "--workers": number("threads that open images", None, "one per core, at most 8", "workers"),
    "--check": switch("compare the features in RUN with newly computed ones"),
    "--report": switch("describe the features in RUN"),
}


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    help
        What the command does.
    run
        Module of this package and function, joined by a dot.
    flags
        Names in ``FLAGS``, in the order of the help. ``[--a|--b]`` exclude each other; exactly one
        of ``(--a|--b)`` is required.
    sections
        Sections of ``config`` that ``--set`` can change; if empty, there is no ``--set``.
    config
        Class of the settings, which is imported when it is used.
    own
        Options of flags that replace those in ``FLAGS``.
    """

    help: str
    run: str
    flags: str
    sections: tuple[str, ...] = ()
    config: str = "msm4sr_lite.config.Config"
    own: dict[str, Flag] = field(default_factory=dict)


DATASET = "data --domain --drop-unknown --rename"
TRAIN = f"{DATASET} --out --features --preset --seed"
END = "--device --json"
OF_MODEL = {name: {"shown": "the model's"} for name in ("--domain", "--features")}
BEFORE = {"--features": {"shown": f"RUN/features, else {COMPUTED}"}}
COMMANDS = {
    "check": Command(
        "summarise a dataset, or find damaged files in a run folder",
        "datasets.check",
        f"{DATASET} --json",
        own={"data": {"help": "dataset folder or run folder"}},
    ),
    "run": Command(
        "compute features, pre-train, fine-tune and evaluate",
        "stages.run",
        f"{TRAIN} --text-encoder --clip --dictionary --ensemble --baselines --all-data {END}",
        ("data", "features", "model", "pretrain", "finetune"),
    ),
    "evaluate": Command(
        "rank the whole catalogue for held-out interactions, beside baselines",
        "stages.evaluate",
        f"{DATASET} --model --features --part --filter-seen --baselines --candidates {END}",
        own=OF_MODEL,
    ),
    "recommend": Command(
        "recommend items for users or for a history, with reasons",
        "recommend.run",
        f"{DATASET} --model --features (--user|--items|--all-users) -k --candidates --exclude"
        f" --keep-seen --no-new-items --on-unknown-user --why --text-encoder {END}",
        own={
            **OF_MODEL,
            "--text-encoder": {"shown": "that of the features"},
            "--candidates": path("file of items to choose from, one item_id per line", shown="all"),
        },
    ),
    "study": Command(
        "compare models on a dataset: same data, training budget and statistics",
        "study.run",
        f"part {DATASET} --features --out --quick --models --seeds --jobs --configs --source"
        f" --target {END}",
        ("data", "budget"),
        "msm4sr_lite.study.config.StudyConfig",
        {"--out": path("study folder", "DIR", "runs/study-DATA") | {"required": False}},
    ),
    "convert": Command(
        "turn a public dataset (Amazon, MovieLens, RecBole, H&M) into a dataset folder",
        "datasets.convert",
        "source --out --from --items --images --copy-images --min-rating --level --force --json",
        own={
            "--out": path("new dataset folder", "DATA"),
            "--items": path("item file", shown="beside the main file"),
        },
    ),
    "train-clip": Command(
        "train a small CLIP-like model on a labelled image folder",
        "train_clip.run",
        f"folder --out --columns --n-test --seed {END}",
        ("clip",),
        "msm4sr_lite.features.clip.training.ClipConfig",
        {"--out": path("new model folder", "DIR")},
    ),
    "doctor": Command(
        "check this machine, and try encoders",
        "doctor.run",
        "--for --text-encoder --clip --json",
        own={name: {"shown": "none is tried"} for name in ("--text-encoder", "--clip")},
    ),
    "plot": Command(
        "draw the training curves of a run folder",
        "plot.run",
        "run_folder --out --json",
        own={
            "--out": path("image to write: .png, .svg or .pdf", shown="RUN/curves.png")
            | {"required": False}
        },
    ),
    "keywords": Command(
        "stage 1: find the best keywords of every image (CLIP)",
        "stages.keywords",
        f"{DATASET} --out --clip --dictionary --workers {END}",
        ("features",),
    ),
    "features": Command(
        "stage 2: embed sentences and keywords (BERT)",
        "stages.features",
        f"{DATASET} --out --text-encoder [--check|--report] {END}",
        ("features",),
    ),
    "pretrain": Command(
        "stage 3: contrastive pre-training, without item ids",
        "stages.train",
        f"{TRAIN} {END}",
        ("data", "model", "pretrain"),
        own=BEFORE,
    ),
    "finetune": Command(
        "stage 4: fine-tune the pre-trained model, with item ids",
        "stages.train",
        f"{TRAIN} --ensemble {END}",
        ("data", "finetune"),
        own=BEFORE,
    ),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    about = "Multimodal sequential recommendation on a dataset folder."
    parser = Parser(prog="msm4sr", description=about)
    version = f"msm4sr {__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help, description=command.help)
        for word in command.flags.split():
            add_flags(one, word, command.own)
        if command.sections:
            add_settings(one, command.sections, command.config)
    return parser


def add_flags(parser: argparse.ArgumentParser, word: str, own: dict[str, Flag]) -> None:
    """Add one flag, or several that exclude each other."""
    group: Any = parser
    if word[0] in "[(":
        group = parser.add_mutually_exclusive_group(required=word[0] == "(")
    for name in word.strip("[()]").split("|"):
        options = FLAGS[name] | own.get(name, {})
        shown = options.pop("shown", "")
        options["help"] += f" (default: {shown})" if shown else ""
        group.add_argument(name, **options)
