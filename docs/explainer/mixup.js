// Stage 3: the two embeddings of each position, and the sequences after mixup.
import { $, LANE, ROW, draw, el, number, picture, strip, svg } from "./dom.js";
import { cosine } from "./tensor.js";

/** The two lines that lead from z to the mixed sequences: parallel, or crossed by a swap. */
function crossing(swapped, animate) {
    const path = (from, to) => `M0 ${LANE[from]} C24 ${LANE[from]} 24 ${LANE[to]} 48 ${LANE[to]}`;
    const line = (from) => {
        const to = swapped ? (from === "text" ? "image" : "text") : from;
        return svg("path", { d: path(from, to), class: `${from}${animate ? " fresh" : ""}` });
    };
    return svg(
        "svg",
        { viewBox: `0 0 48 ${ROW}`, "aria-hidden": "true" },
        line("image"),
        line("text"),
    );
}

const pair = (first, second) => el("span", { class: "pair" }, first, second);
let lastSwaps = []; // swap bits of the last drawing

export function drawMixup(data, state, actions, view) {
    const rows = view.history.map(({ item, swapped }, k) => {
        const { text, image } = view.embeddings[k];
        const { title } = data.items[item];
        const kinds = swapped ? ["image", "text"] : ["text", "image"];
        const same = number(cosine(text.z, image.z));
        const both = [strip(text.z, "text", "z_t"), strip(image.z, "image", "z_v")];
        return el(
            "li",
            { class: `row${k === state.selected ? " selected" : ""}` },
            el(
                "button",
                {
                    class: "swap",
                    role: "switch",
                    "data-key": `swap-${k}`,
                    "aria-checked": String(swapped),
                    "data-focus-tip": both.map((one) => one.dataset.tip).join("\n"),
                    "aria-label": `Swap position ${k + 1}, ${title}; cosine of its embeddings ${same}`,
                    onclick: () => actions.swap(k),
                },
                el("span", { class: "only-narrow" }, picture(data.items[item], 36)),
                pair(...both),
                crossing(swapped, lastSwaps[k] !== swapped),
                pair(
                    strip(view.mixed.text[k], kinds[0], `M_t at position ${k + 1}`),
                    strip(view.mixed.image[k], kinds[1], `M_v at position ${k + 1}`),
                ),
            ),
        );
    });
    lastSwaps = view.history.map((entry) => entry.swapped);
    draw($("#mixup-rows"), rows);
    $("#swapped").textContent =
        `${lastSwaps.filter(Boolean).length} of ${lastSwaps.length} swapped`;
}
