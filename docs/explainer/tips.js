// The exact number behind a mark: a tip beside the pointer, the tapped place or the focused element.
import { $, withSubscripts } from "./dom.js";

/**
 * Show what data-tip says. A tap's tip stays until the next tap. The focus brings tips only where the
 * keyboard moves it: a press moves the focus as well, and would hide the tip that it asks for.
 * Returns a function that shows the tip anew after the page has changed under the pointer.
 */
export function startTips() {
    const tip = $("#tip");
    let pointer = null; // last event of a pointer; null after a key
    const show = (target, text = target?.dataset.tip) => {
        tip.hidden = !text;
        if (!text) return;
        tip.replaceChildren(...withSubscripts(text));
        const place = target.getBoundingClientRect();
        const { offsetWidth: width, offsetHeight: height } = tip;
        const most = document.documentElement.clientWidth - width - 8;
        const below = place.bottom + 6;
        const top = below + height > innerHeight ? Math.max(8, place.top - height - 6) : below;
        tip.style.left = `${Math.max(8, Math.min(place.left, most))}px`;
        tip.style.top = `${top}px`;
    };
    const find = (element) => element?.closest?.("[data-tip]");
    const follow = (event) => {
        pointer = event;
        show(find(event.target));
    };
    document.addEventListener("pointerover", follow);
    document.addEventListener("pointerdown", follow);
    document.addEventListener("keydown", (event) => {
        pointer = null;
        if (event.key === "Escape") show(null);
    });
    document.addEventListener("focusin", ({ target }) => {
        if (pointer) return;
        const { focusTip } = target.dataset;
        show(focusTip ? target : (find(target) ?? target.querySelector("[data-tip]")), focusTip);
    });
    document.addEventListener("focusout", () => pointer || show(null));
    addEventListener("scroll", () => show(null), { passive: true });
    return () => {
        if (pointer && !tip.hidden)
            show(find(document.elementFromPoint(pointer.clientX, pointer.clientY)));
    };
}
