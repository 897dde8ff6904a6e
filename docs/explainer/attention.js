// Stage 4: what the selected position reads, in both layers and heads, in both sequences.
import { $, LANE, ROW, UNIT, draw, el, inRem, percent, svg } from "./dom.js";
import { MODALITIES, SIZES } from "./model.js";

// Widths of a column of dots, which has a button above it, and of the curves, as UNIT in dom.js.
const COLUMN = Math.max(20, (matchMedia("(pointer: coarse)").matches ? 44 : 30) / UNIT);
const CURVE = matchMedia("(max-width: 24em)").matches ? 20 : 52;
const HEADS = [...Array(SIZES.layers * SIZES.heads).keys()].map((n) => [
    Math.floor(n / SIZES.heads),
    n % SIZES.heads,
]);
const FAN = { from: HEADS.length * COLUMN + 40, to: HEADS.length * COLUMN + 40 + CURVE };

const isSame = (a, b) => a[0] === b[0] && a[1] === b[1];

function headButtons(state, actions, read) {
    return HEADS.map((head) => {
        const [layer, which] = head.map((n) => n + 1);
        const list = (write) =>
            MODALITIES.map((m) => `${m}: ${read(m, head).map(write).join(", ")}`).join("; ");
        const weights = list((w, j) => `position ${j + 1} ${percent(w)}`);
        const exact = list((w) => w.toFixed(4));
        return el(
            "button",
            {
                "data-key": `head-${layer}${which}`,
                "aria-pressed": String(isSame(head, state.head)),
                "aria-label": `Layer ${layer}, head ${which}. ${weights}`,
                "data-tip": `Layer ${layer}, head ${which}`,
                "data-focus-tip": `Layer ${layer}, head ${which}. Weights of positions 1 to ${state.selected + 1}. ${exact}`,
                onclick: () => actions.set({ head }),
            },
            `${layer}.${which}`,
        );
    });
}

/** A dot for each weight, with the weight as its area. */
function dots(view, read) {
    const found = [];
    HEADS.forEach((head, column) =>
        MODALITIES.forEach((modality) =>
            read(modality, head).forEach((weight, j) => {
                const tip = `Layer ${head[0] + 1}, head ${head[1] + 1}, ${modality} sequence: ${weight.toFixed(4)} from position ${j + 1}`;
                const place = { cx: (column + 0.5) * COLUMN, cy: j * ROW + LANE[modality] };
                found.push(
                    svg("circle", { ...place, r: 10 * Math.sqrt(weight), class: modality }),
                    svg("circle", { ...place, r: 10, class: "target", "data-tip": tip }),
                );
            }),
        ),
    );
    return found;
}

/** Curves of the chosen head, from each position that is read to the one that reads. */
function fan(state, read) {
    return MODALITIES.flatMap((modality) =>
        read(modality, state.head).flatMap((weight, j) => {
            const [start, end] = [j, state.selected].map((k) => k * ROW + LANE[modality]);
            const middle = (FAN.from + FAN.to) / 2;
            return [
                svg("path", {
                    d: `M${FAN.from} ${start} C${middle} ${start} ${middle} ${end} ${FAN.to} ${end}`,
                    class: modality,
                    "stroke-width": 0.5 + 7 * weight,
                }),
                svg(
                    "text",
                    { x: FAN.from - 4, y: start + 4, class: modality, "text-anchor": "end" },
                    percent(weight),
                ),
            ];
        }),
    );
}

export function drawAttention(data, state, actions, view) {
    $("#head-width").textContent = SIZES.dim / SIZES.heads;
    if (!view.history.length) return draw($("#attention-map"));
    const k = state.selected;
    const read = (modality, [layer, head]) => view.attention[modality][layer][head][k];
    const unread = view.history.map((_, j) => j).slice(k + 1);
    const height = view.history.length * ROW;
    $("#attention-heads").style.setProperty("--column", inRem(COLUMN));
    draw($("#attention-heads"), headButtons(state, actions, read));
    draw(
        $("#attention-map"),
        el(
            "div",
            { class: "only-narrow thumbs" },
            view.history.map(({ item }) => el("img", { src: data.items[item].picture, alt: "" })),
        ),
        svg(
            "svg",
            {
                viewBox: `0 0 ${FAN.to + 8} ${height}`,
                "--width": inRem(FAN.to + 8),
                "aria-hidden": "true",
            },
            svg("rect", { y: k * ROW, width: FAN.to + 8, height: ROW, class: "band" }),
            unread.map((j) =>
                svg(
                    "text",
                    { x: 4, y: j * ROW + 33, class: "unread" },
                    "hidden by the causal mask",
                ),
            ),
            fan(state, read),
            dots(view, read),
            MODALITIES.map((m) =>
                svg("circle", { cx: FAN.to, cy: k * ROW + LANE[m], r: 5, class: m }),
            ),
        ),
    );
}
