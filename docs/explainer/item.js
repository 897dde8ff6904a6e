// Stage 2: inside the item of the selected position. Slots, their attention weights, the experts.
import { $, bar, draw, effectMark, el, percent, picture, say, strip, withSubscripts } from "./dom.js";

let options = null;

/** The options of every keyword, made once: copies are quick. */
function allWords(data) {
    options ??= data.words.reduce((list, word) => {
        list.append(el("option", {}, word));
        return list;
    }, document.createDocumentFragment());
    return options;
}

/** A line for a keyword: it can be exchanged or taken out, and comes back the same way. */
function keywordLine(data, state, actions, keyword, slot, numbers) {
    const item = data.items[state.history[state.selected].item];
    const isOriginal = keyword.word === item.keywords[slot];
    const score = item.scores[slot];
    const select = el(
        "select",
        {
            "data-key": `word-${slot}`,
            "aria-label": `Keyword ${slot + 1}`,
            disabled: !keyword.used,
            onchange: (event) =>
                actions.setKeyword(state.selected, slot, { word: event.target.value }),
        },
        allWords(data).cloneNode(true),
    );
    select.value = keyword.word;
    const cosine = isOriginal ? score.toFixed(2) : "yours";
    const tip = isOriginal
        ? `CLIP: cosine of image and keyword ${score.toFixed(4)}`
        : "You chose this keyword.";
    return el(
        "li",
        { class: keyword.used ? "slot" : "slot unused" },
        bar(numbers?.alpha ?? 0, "image"),
        select,
        el("span", { class: "cosine", "data-tip": tip }, say("CLIP cosine"), cosine),
        weight(numbers),
        numbers ? effectMark(numbers.effect, numbers.largest, "this keyword") : el("span"),
        el(
            "button",
            {
                class: "tool",
                "data-key": `use-${slot}`,
                "aria-label": `${keyword.used ? "Take out" : "Put back"} keyword ${keyword.word}`,
                onclick: () => actions.setKeyword(state.selected, slot, { used: !keyword.used }),
            },
            keyword.used ? "×" : "+",
        ),
    );
}

const weight = (numbers) =>
    numbers
        ? el(
              "span",
              { class: "weight", "data-tip": `Attention weight ${numbers.alpha.toFixed(4)}` },
              say("weight"),
              percent(numbers.alpha),
          )
        : el("span", { class: "weight" }, "out");

function sentenceLine(sentence, numbers) {
    return el(
        "li",
        { class: "slot" },
        bar(numbers.alpha, "text"),
        el("span", { class: "sentence" }, sentence),
        weight(numbers),
        effectMark(numbers.effect, numbers.largest, "this sentence"),
    );
}

const caption = (kind, text, heads) =>
    el(
        "p",
        { class: `caption ${kind}` },
        text,
        heads.map((head) => el("span", { "aria-hidden": "true" }, head)),
    );

/** The gate of the mixture of experts, one column for each expert. */
function gateChart(gate, kind, name) {
    const list = gate.map((share, k) => `expert ${k + 1}: ${percent(share)}`).join(", ");
    return el(
        "div",
        {
            class: `gate ${kind}`,
            role: "img",
            tabindex: "0",
            "aria-label": `Gate of ${name}. ${list}`,
            "data-tip": `Gate of ${name}. ${list}`,
        },
        gate.map((share) => el("span", { "--share": share })),
    );
}

export function drawItem(data, state, actions, view) {
    if (!view.history.length)
        return draw($("#item-card"), el("p", { class: "hint" }, "Nothing to look into yet."));
    const { item } = view.history[state.selected];
    const { title, sentences } = data.items[item];
    const { text, image } = view.embeddings[state.selected];
    const { keywords = [], sentences: ofSentences = [] } = view.effects; // empty: not known yet
    const all = [...keywords, ...ofSentences];
    const largest = Math.max(...all.map(Math.abs), 0.1);
    const missing = image.alpha.length
        ? null
        : "No keywords are left, so that the text’s embedding is used for the image as well: z_v = z_t.";
    let used = -1;
    const keywordLines = state.history[state.selected].keywords.map((keyword, slot) => {
        used += keyword.used ? 1 : 0;
        const numbers = { alpha: image.alpha[used], effect: keywords[used], largest };
        return keywordLine(data, state, actions, keyword, slot, keyword.used ? numbers : null);
    });
    const sentenceLines = sentences.map((sentence, k) =>
        sentenceLine(sentence, {
            alpha: text.alpha[k],
            effect: ofSentences[k],
            largest,
        }),
    );
    draw(
        $("#item-card"),
        el(
            "h3",
            {},
            picture(data.items[item], 56),
            el("span", {}, `Position ${state.selected + 1}: ${title}`),
        ),
        caption("text", "Text: sentences", ["weight", "effect"]),
        el("ul", { class: "slots text" }, sentenceLines),
        caption("image", "Image: keywords", ["CLIP", "weight", "effect"]),
        el("ul", { class: "slots image" }, keywordLines),
        el("p", { class: "caption wide" }, "Pooled embeddings e, and gate of the eight experts"),
        el(
            "div",
            { class: "gates" },
            strip(text.e, "text", "e of the text", true),
            missing
                ? el("span", { class: "strip image" })
                : strip(image.e, "image", "e of the image", true),
        ),
        el(
            "div",
            { class: "gates experts" },
            gateChart(text.gate, "text", "the text"),
            missing ? el("span", { class: "gate" }) : gateChart(image.gate, "image", "the image"),
        ),
        missing && el("p", { class: "note" }, withSubscripts(missing)),
        el("p", { class: "note" }, "Attention pooling: e = Σ weight · embedding."),
        el(
            "p",
            { class: "note" },
            `Mixture of experts (MoE): z = Σ gate · LayerNorm(W e + b)${view.hasIds ? " + ID embedding of the item" : ""}. An expert is a linear map, W and b; the gate weighs all eight for this item.`,
        ),
    );
}
