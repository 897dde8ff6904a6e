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

let dragged = null; // the press or drag that is under way; another finger does not start a second

/**
 * Let an element be dragged into the history. `drop(place)` is called there; elsewhere, and after
 * Escape, nothing happens. On a shelf that scrolls sideways a finger drags upwards or downwards.
 */
export function makeDraggable(element, { image, drop, scrolls = false }) {
    element.classList.add(scrolls ? "drag-across" : "drag");
    element.addEventListener("pointerdown", (down) => {
        if (down.button !== 0 || dragged !== null) return;
        dragged = down.pointerId;
        let ghost = null;
        const listening = new AbortController();
        const on = (type, action) =>
            addEventListener(type, action, { signal: listening.signal, capture: true });
        const mine = (action) => (event) => event.pointerId === down.pointerId && action(event);
        const move = ({ clientX: x, clientY: y }) => {
            if (!ghost && Math.hypot(x - down.clientX, y - down.clientY) < FAR) return;
            if (!ghost) {
                ghost = el("img", { src: image, alt: "", class: "ghost" });
                document.body.append(ghost);
                document.body.classList.add("dragging");
            }
            ghost.style.translate = `${x}px ${y}px`;
            mark(placeAt(x, y));
        };
        const end = (event) => {
            listening.abort();
            dragged = null;
            mark(null);
            if (!ghost) return;
            ghost.remove();
            document.body.classList.remove("dragging");
            swallowClick(event.type === "keydown");
            const place = event.type === "pointerup" ? placeAt(event.clientX, event.clientY) : null;
            if (place !== null) drop(place);
        };
        on("pointermove", mine(move));
        on("pointerup", mine(end));
        on("pointercancel", mine(end));
        on("keydown", (event) => {
            if (event.key !== "Escape" || !ghost) return;
            stop(event);
            end(event);
        });
    });
}

/** The click that follows a drag is none. After Escape it comes once the button is let go. */
function swallowClick(isDown) {
    addEventListener("click", stop, { capture: true, once: true });
    const release = () => setTimeout(() => removeEventListener("click", stop, { capture: true }));
    if (isDown) addEventListener("pointerup", release, { once: true });
    else release();
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
