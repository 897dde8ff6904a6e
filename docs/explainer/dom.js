// Helpers that make and draw elements. Nothing here knows the model.

/** Height of a row, as --row in style.css, and where both lanes lie in it, in fifteenths of a rem. */
export const ROW = 58;
export const LANE = { text: 18, image: 40 };
/** A fifteenth of a rem in pixels: 1 unless the browser's font is larger, or the window wide. */
export const UNIT = parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
export const inRem = (length) => `${length / 15}rem`;

const SVG = "http://www.w3.org/2000/svg";

/** Children without those that a condition leaves out. */
const shownOf = (children) =>
    children.flat().filter((child) => child !== null && child !== false);

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (name.startsWith("--")) element.style.setProperty(name, value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...shownOf(children));
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
    container.replaceChildren(...shownOf(children));
    if (!key) return;
    const same = container.querySelector(`[data-key="${key}"]:not(:disabled)`);
    (same ?? container.querySelector("[data-fallback]") ?? container).focus({
        preventScroll: true,
    });
}

export const percent = (share) => `${Math.round(share * 100)} %`;
/** Two decimals; what is rounded to zero has no sign. */
export const number = (value) => (Number(value.toFixed(2)) || 0).toFixed(2).replace("-", "−");
export const signed = (value) => (Number(value.toFixed(2)) > 0 ? "+" : "") + number(value);
/** A text with its subscripts: "z_t" becomes z<sub>t</sub>. */
export const withSubscripts = (text) =>
    text.split(/_([tv])\b/).map((part, k) => (k % 2 ? el("sub", {}, part) : part));
/** A word that only screen readers say. */
export const say = (word) => el("span", { class: "for-readers" }, `${word} `);

/** A picture of an item. The text beside it names the item, so the picture has no alternative. */
export const picture = (item, size) =>
    el("img", { src: item.picture, alt: "", width: size, height: size, draggable: "false" });

/** A horizontal bar, 0 to 1 of its track. */
export const bar = (share, kind) =>
    el("span", { class: `bar ${kind}`, "--share": Math.max(0, Math.min(1, share)) });

/** An effect on the explained score: green raises it, purple lowers it; `largest` fills the bar. */
export function effectMark(value, largest, what) {
    if (value === null || value === undefined) return el("span", { class: "effect" });
    const rounded = Number(value.toFixed(2));
    const kind = rounded < 0 ? "lowers" : rounded > 0 ? "raises" : "";
    const tip = `Without ${what} the score ${value < 0 ? "rises" : "falls"} by ${Math.abs(value).toFixed(3)}.`;
    return el(
        "span",
        {
            class: `effect ${kind}`,
            "data-tip": tip,
            "--share": Math.abs(value) / Math.max(largest, 0.1),
        },
        say("effect"),
        el("b", {}, signed(value)),
    );
}

/**
 * An embedding as a strip of cells. A cell is pale for the lowest numbers, half coloured for 0 and
 * full for the highest; the tip lists all. A strip that is in no button can have the focus.
 */
export function strip(vector, kind, name, alone = false) {
    const canvas = el("canvas", { width: vector.length, height: 1, class: `strip ${kind}` });
    const largest = vector.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
    const colour = kind === "text" ? [0, 114, 178] : [213, 131, 0];
    const image = new ImageData(vector.length, 1);
    vector.forEach((value, i) => image.data.set([...colour, 127.5 * (1 + value / largest)], 4 * i));
    canvas.getContext("2d").putImageData(image, 0, 0);
    if (alone) {
        const label = `Numbers of ${name.replace("_", " ")}`;
        fill(canvas, { tabindex: "0", role: "img", "aria-label": label }, []);
    }
    canvas.dataset.tip = `${name}, ${vector.length} numbers: ${Array.from(vector, number).join(" ")}`;
    return canvas;
}
