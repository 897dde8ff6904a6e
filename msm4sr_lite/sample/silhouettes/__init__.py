"""What the 24 products look like: one function a product, each round, tall and square.

A function paints its product in a 100 x 100 space (y points down, things stand at y = 88).
What it gives to ``pen.body`` carries the look's pattern; parts and strokes are tones of the
main colour or a neutral such as "sand" (wood, wicker) and "metal". Beside the function stands
the point that the detail view shows.
"""

from __future__ import annotations

from msm4sr_lite.sample.pen import Silhouette
from msm4sr_lite.sample.silhouettes.camp import CAMP
from msm4sr_lite.sample.silhouettes.kitchen import KITCHEN
from msm4sr_lite.sample.silhouettes.living import LIVING
from msm4sr_lite.sample.silhouettes.outing import OUTING

SILHOUETTES: dict[str, Silhouette] = KITCHEN | LIVING | CAMP | OUTING
