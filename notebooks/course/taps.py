"""HTML whose parts can be tapped, clicked, or reached by the keyboard; the kernel hears of it.

Core widgets cannot tell which part of a picture or a map was clicked. This small widget can: an
element of its HTML with ``data-tap="NAME"`` reports its name, also a ``<select>`` with its value.
Inside an element with ``data-group`` the arrow keys go to the next such element, on the screen,
in their direction; Enter and the space bar tap it. The script is sent by the kernel, so nothing is
fetched. Where the package ``anywidget`` or the front end's half of it is missing, a list with
the same choices stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipywidgets import Widget

# A choice of the list: what it says, the name of the part, and the value if the part is a list.
Choice = tuple[str, str, str]

_SCRIPT = """
const middle = (element) => {
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
};

// The nearest element in the direction of an arrow key; what lies aside counts three times.
function nearest(from, all, key) {
  const [x, y] = middle(from);
  const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  const flat = key === "ArrowRight" || key === "ArrowLeft";
  let best = null, least = Infinity;
  for (const other of all) {
    const [a, b] = middle(other);
    const ahead = sign * (flat ? a - x : b - y), aside = Math.abs(flat ? b - y : a - x);
    if (other !== from && ahead > 1 && ahead + 3 * aside < least) {
      [best, least] = [other, ahead + 3 * aside];
    }
  }
  return best;
}

function render({ model, el }) {
  el.classList.add("msm4sr-taps");
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys, such as the arrows
  const content = document.createElement("div"), status = document.createElement("div");
  status.setAttribute("role", "status");
  status.className = "msm4sr-hidden";
  el.append(content, status);
  const taps = (within) => [...within.querySelectorAll("[data-tap]:not(:disabled)")];

  const choose = () => {
    const chosen = model.get("chosen");
    for (const element of content.querySelectorAll("[role=radio]")) {
      const hit = element.dataset.tap === chosen;
      element.setAttribute("aria-checked", String(hit));
      element.setAttribute("tabindex", hit ? "0" : "-1");
    }
    for (const group of content.querySelectorAll("[data-group]")) { // one stop of the Tab key
      if (!group.querySelector("[tabindex='0']")) taps(group)[0]?.setAttribute("tabindex", "0");
    }
  };
  const draw = () => {
    const all = taps(content), at = all.indexOf(document.activeElement);
    const name = at < 0 ? null : all[at].dataset.tap;
    content.innerHTML = model.get("value");
    choose();
    const now = taps(content);
    if (name !== null && now.length) {
      const again = now.find((element) => element.dataset.tap === name);
      (again ?? now[Math.min(at, now.length - 1)]).focus({ preventScroll: true });
    }
    status.textContent = content.querySelector("[data-status]")?.textContent ?? "";
  };
  const send = (element) => model.send({ tap: element.dataset.tap, value: element.value ?? "" });

  content.addEventListener("click", (event) => {
    let hit = event.target.closest("[data-tap]");
    const area = event.target.closest("[data-nearest]");
    if (!hit && area) { // a finger is wider than a point of a map
      const distance = (element) => {
        const [x, y] = middle(element);
        return Math.hypot(x - event.clientX, y - event.clientY);
      };
      hit = taps(area).reduce((a, b) => (distance(b) < distance(a) ? b : a));
      if (distance(hit) > 30) hit = null;
    }
    if (hit && hit.tagName !== "SELECT") send(hit);
  });
  content.addEventListener("change", (event) => {
    if (event.target.matches("select[data-tap]")) send(event.target);
  });
  content.addEventListener("keydown", (event) => {
    const hit = event.target.closest("[data-tap]"), group = hit?.closest("[data-group]");
    if (!hit || hit.tagName === "SELECT") return;
    if (event.key === "Enter" || event.key === " ") {
      if (hit.tagName !== "BUTTON") { event.preventDefault(); send(hit); }
    } else if (group && event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = nearest(hit, taps(group), event.key);
      if (!next) return;
      hit.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    }
  });
  model.on("change:value", draw);
  model.on("change:chosen", choose);
  draw();
  model.send({ ready: true });
}
export default { render };
"""
_STYLE = """
.msm4sr-taps { font-size: 17px; line-height: 1.4; width: 100%; }
.msm4sr-taps [data-tap] { cursor: pointer; }
.msm4sr-taps [data-tap]:focus-visible { outline: 4px solid #E69F00; outline-offset: 2px; }
.msm4sr-taps .msm4sr-hidden, .msm4sr-taps .msm4sr-hidden * {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""


@cache
def _widget_class() -> type[Any] | None:
    """Return the class of the widget, or None without anywidget."""
    if find_spec("anywidget") is None:
        return None
    import anywidget
    import traitlets

    class Taps(anywidget.AnyWidget):
        _esm, _css = _SCRIPT, _STYLE
        value = traitlets.Unicode().tag(sync=True)
        chosen = traitlets.Unicode().tag(sync=True)

    return Taps


class TapView:
    """HTML that reports taps, and a list that does the same where the HTML cannot.

    Parameters
    ----------
    label
        Names the list.
    tap
        Called with the name of the part that was tapped and, of a ``<select>``, its value.

    Attributes
    ----------
    box
        What to show.
    """

    def __init__(self, label: str, tap: Callable[[str, str], None]) -> None:
        import ipywidgets

        self.tap = tap
        self._choices: list[Choice] = []
        self.list = ipywidgets.Dropdown(
            description=label,
            options=[],
            style={"description_width": "initial"},
            layout={"width": "max-content", "max_width": "100%", "min_width": "16em"},
        )
        self.list.observe(self.picked, "value")
        make = _widget_class()
        if make is None:
            self.view: Widget = ipywidgets.HTML()
        else:
            self.view = make()
            self.view.on_msg(self._heard)
        self.box = ipywidgets.VBox([self.list, self.view])

    def _heard(self, _: object, content: dict[str, Any], __: object) -> None:
        if content.get("ready"):
            self.list.layout.display = "none"
        elif isinstance(content.get("tap"), str):
            self.tap(content["tap"], str(content.get("value", "")))

    def picked(self, change: Any) -> None:
        """Do what was picked in the list."""
        if change["new"] is not None:
            _, name, value = change["new"]
            self.tap(name, value)

    def show(self, markup: str, choices: Sequence[Choice]) -> None:
        """Show other HTML, in which all foreign text is escaped, and the choices of the list."""
        self.view.value = markup
        if list(choices) != self._choices:
            self._choices = list(choices)
            self.list.unobserve(self.picked, "value")
            self.list.options = [("choose ...", None), *((one[0], one) for one in choices)]
            self.list.value = None
            self.list.observe(self.picked, "value")

    def choose(self, name: str) -> None:
        """Mark one of the parts as the chosen one."""
        if _widget_class():
            self.view.chosen = name
