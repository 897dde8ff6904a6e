"""What the 24 products look like: one function a product, each round, tall and square.

A function paints its product in a 100 x 100 space (y points down, products stand at y = 88).
What it gives to ``pen.body`` carries the look's pattern; parts and strokes are tones of the
main colour or a neutral such as "sand" (wood, wicker) and "metal". Beside the function stands
the point that the detail view shows.
"""

from __future__ import annotations

from data_samples.make.pen import Silhouette
from data_samples.make.silhouettes.camp import CAMP
from data_samples.make.silhouettes.kitchen import KITCHEN
from data_samples.make.silhouettes.living import LIVING
from data_samples.make.silhouettes.outing import OUTING

SILHOUETTES: dict[str, Silhouette] = KITCHEN | LIVING | CAMP | OUTING
