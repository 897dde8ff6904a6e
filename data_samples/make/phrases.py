"""The words of the sample's texts, read from ``phrases.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_PHRASES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)

PURPOSES: list[str] = _PHRASES["purposes"]
FRAMES: list[str] = _PHRASES["frames"]
MAKINGS: list[str] = _PHRASES["makings"]
BRANDS: dict[str, list[str]] = _PHRASES["brands"]  # by domain
LABELS: dict[str, list[str]] = _PHRASES["labels"]  # by purpose
MATERIALS: dict[str, list[str]] = _PHRASES["materials"]  # by product
MATERIAL_WEIGHTS: dict[str, list[int]] = _PHRASES["material_weights"]  # by purpose
SCENES: dict[str, dict[str, list[str]]] = _PHRASES["scenes"]  # by domain and purpose
BENEFITS: dict[str, dict[str, list[str]]] = _PHRASES["benefits"]
