// Drag with mouse, pen or finger. The keyboard has buttons for everything that can be dragged.
import { $, el } from "./dom.js";

const FAR = 8; // pixels that the pointer moves before a press becomes a drag

/** The place in the history that a point is at: 0 is before the first row. */
function placeAt(x, y) {
    const box = $("#history").getBoundingClientRect();
    if (x < box.left || x > box.right || y < box.top || y > box.bottom) return null;
    const rows = [...document.querySelectorAll("#history-rows .row")];
    const after = rows.findIndex((line) => {
        const { top, height } = line.getBoundingClientRect();
        return y < top + height / 2;
    });
    return after < 0 ? rows.length : after;
}

/**
 * Let an element be dragged into the history.
 * `drop(place)` is called there, `outside()` where it is let go elsewhere. On a shelf that scrolls
 * sideways a finger drags upwards or downwards.
 */
export function makeDraggable(element, { image, drop, outside = () => {}, scrolls = false }) {
    element.classList.add(scrolls ? "drag-across" : "drag");
    element.addEventListener("pointerdown", (down) => {
        if (down.button !== 0) return;
        let ghost = null;
        const move = (event) => {
            const distance = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
            if (!ghost && distance < FAR) return;
            if (!ghost) {
                ghost = el("img", { src: image, alt: "", class: "ghost" });
                document.body.append(ghost);
                document.body.classList.add("dragging");
            }
            ghost.style.translate = `${event.clientX}px ${event.clientY}px`;
            mark(placeAt(event.clientX, event.clientY));
        };
        const end = (event) => {
            removeEventListener("pointermove", move);
            removeEventListener("pointerup", end);
            removeEventListener("pointercancel", end);
            mark(null);
            if (!ghost) return;
            ghost.remove();
            document.body.classList.remove("dragging");
            // The click that follows a drag is none.
            addEventListener("click", stop, { capture: true, once: true });
            setTimeout(() => removeEventListener("click", stop, { capture: true }));
            if (event.type === "pointercancel") return;
            const place = placeAt(event.clientX, event.clientY);
            if (place === null) outside();
            else drop(place);
        };
        addEventListener("pointermove", move);
        addEventListener("pointerup", end);
        addEventListener("pointercancel", end);
    });
}

const stop = (event) => {
    event.stopPropagation();
    event.preventDefault();
};

/** Show where the dragged item would go. */
function mark(place) {
    const rows = [...$("#history-rows").children];
    rows.forEach((line, k) => line.classList.toggle("insert-before", k === place));
}
