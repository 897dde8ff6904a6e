// Helpers that make and draw elements. Nothing here knows the model.

/** Height of a row, as --row in style.css, and where both lanes lie in it, in pixels. */
export const ROW = 58;
export const LANE = { text: 18, image: 40 };

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (name.startsWith("--")) element.style.setProperty(name, value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== false));
    return element;
}

export const $ = (selector) => document.querySelector(selector);
export const el = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

/** Replace what is in a container; the focus stays on the element with the same data-key. */
export function draw(container, ...children) {
    const active = container.contains(document.activeElement) ? document.activeElement : null;
    const key = active?.closest("[data-key]")?.dataset.key;
    container.replaceChildren(...children.flat());
    if (!key) return;
    const same = container.querySelector(`[data-key="${key}"]:not(:disabled)`);
    (same ?? container.querySelector("[data-fallback]") ?? container).focus({
        preventScroll: true,
    });
}

export const percent = (share) => `${Math.round(share * 100)} %`;
export const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
export const number = (value) => value.toFixed(2).replace("-", "−");

/** A picture of an item. The text beside it names the item, so the picture has no alternative. */
export const picture = (item, size) =>
    el("img", { src: item.picture, alt: "", width: size, height: size, draggable: "false" });

/** A horizontal bar, 0 to 1 of its track. */
export const bar = (share, kind) =>
    el("span", { class: `bar ${kind}`, "--share": Math.max(0, Math.min(1, share)) });

/** An effect on the explained score: green raises it, purple lowers it; `largest` fills the bar. */
export function effectMark(value, largest, what) {
    if (value === null || value === undefined) return el("span", { class: "effect" });
    const kind = value < 0 ? "lowers" : "raises";
    const tip = `Without ${what} the score ${value < 0 ? "rises" : "falls"} by ${Math.abs(value).toFixed(3)}.`;
    return el(
        "span",
        {
            class: `effect ${kind}`,
            "data-tip": tip,
            "--share": Math.abs(value) / Math.max(largest, 0.1),
        },
        el("b", {}, signed(value)),
    );
}

/** An embedding as a strip of cells, the more colour the larger the number; the tip lists all. */
export function strip(vector, kind, name) {
    const canvas = el("canvas", { width: vector.length, height: 1, class: `strip ${kind}` });
    const largest = vector.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
    const colour = kind === "text" ? [0, 114, 178] : [213, 131, 0];
    const image = new ImageData(vector.length, 1);
    vector.forEach((value, i) => image.data.set([...colour, 127.5 * (1 + value / largest)], 4 * i));
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.dataset.tip = `${name}, ${vector.length} numbers: ${Array.from(vector, number).join(" ")}`;
    return canvas;
}

/** Show what data-tip says beside the pointer or the focused element. */
export function startTips() {
    const tip = $("#tip");
    const show = (target) => {
        tip.hidden = !target;
        if (!target) return;
        tip.textContent = target.dataset.tip;
        const place = target.getBoundingClientRect();
        const { offsetWidth: width, offsetHeight: height } = tip;
        const left = Math.min(
            Math.max(8, place.left),
            document.documentElement.clientWidth - width - 8,
        );
        const below = place.bottom + 6;
        tip.style.left = `${left}px`;
        tip.style.top = `${below + height > innerHeight ? Math.max(8, place.top - height - 6) : below}px`;
    };
    const find = (event) => event.target.closest?.("[data-tip]");
    document.addEventListener("pointerover", (event) => show(find(event)));
    document.addEventListener("focusin", (event) => {
        const { target } = event;
        show(
            target.matches?.(":focus-visible")
                ? (find(event) ?? target.querySelector("[data-tip]"))
                : null,
        );
    });
    document.addEventListener("focusout", () => show(null));
    document.addEventListener("keydown", (event) => event.key === "Escape" && show(null));
    addEventListener("scroll", () => show(null), { passive: true });
}
