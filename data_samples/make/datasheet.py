"""The data sheet and the licence that lie beside the tables of the sample."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from data_samples.make.catalogue import DOMAINS
from data_samples.make.knowledge import knowledge_table
from data_samples.make.phrases import PURPOSES
from data_samples.make.simulation import LAUNCH, N_TASTES, World

_HERE = Path(__file__).parent
LICENSE = (_HERE / "license.txt").read_text(encoding="utf-8")


def datasheet(world: World) -> str:
    """Return the data sheet as Markdown; all figures are computed from ``world``."""
    return (
        (_HERE / "datasheet.md")
        .read_text(encoding="utf-8")
        .format(
            seed=world.seed,
            launch=f"{datetime.fromtimestamp(LAUNCH, UTC):%Y-%m-%d}",
            counts=_counts(world),
            purposes=", ".join(PURPOSES),
            needs=len(PURPOSES),
            tastes=N_TASTES,
            states=len(PURPOSES) * N_TASTES,
            table=knowledge_table(world),
        )
    )


def _counts(world: World) -> str:
    columns = []
    for domain in DOMAINS:
        items, users = world.domain_items(domain), world.domain_users(domain)
        new = {item.item_id for item in items if item.is_new}
        counts = Counter(item for user in users for item in user.items)
        early = Counter(item for user in users for item in user.items[:-1])
        popular = sorted(early.values(), reverse=True)[: len(items) // 10]
        lengths = [len(user.items) for user in users]
        columns.append(
            {
                "items": len(items),
                "users": len(users),
                "interactions": sum(lengths),
                "interactions per user: fewest, mean, most": (
                    f"{min(lengths)}, {sum(lengths) / len(lengths):.2f}, {max(lengths)}"
                ),
                "images": sum(item.n_images for item in items),
                "items with two or three images": sum(item.n_images > 1 for item in items),
                "items without image": sum(item.n_images == 0 for item in items),
                "items without text": sum(not item.has_text for item in items),
                "new items, on sale only after the launch": len(new),
                "test interactions with new items": sum(user.items[-1] in new for user in users),
                "older items without interactions": sum(
                    not counts[item.item_id] for item in items if not item.is_new
                ),
                "interactions before the launch with the most popular tenth": (
                    f"{sum(popular) / early.total():.0%}"
                ),
            }
        )
    lines = ["| | " + " | ".join(DOMAINS) + " |", "|---" * (1 + len(DOMAINS)) + "|"]
    lines += [
        f"| {name} | " + " | ".join(str(column[name]) for column in columns) + " |"
        for name in columns[0]
    ]
    return "\n".join(lines)
