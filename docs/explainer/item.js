// Stage 2: inside the item of the selected position. Slots, their attention weights, the experts.
import { $, bar, draw, effectMark, el, percent, picture } from "./dom.js";

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
      onchange: (event) => actions.setKeyword(state.selected, slot, { word: event.target.value }),
    },
    data.words.map((word) => el("option", { selected: word === keyword.word }, word)),
  );
  const cosine = isOriginal ? score.toFixed(2) : "yours";
  const tip = isOriginal ? `CLIP: cosine of picture and keyword ${score.toFixed(4)}` : "You chose this keyword.";
  return el(
    "li",
    { class: keyword.used ? "slot" : "slot unused" },
    select,
    el("span", { class: "cosine", "data-tip": tip }, cosine),
    weight(numbers, "image"),
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

const weight = (numbers, kind) =>
  numbers
    ? el(
        "span",
        { class: "weight", "data-tip": `Attention weight alpha = ${numbers.alpha.toFixed(4)}` },
        bar(numbers.alpha, kind),
        el("span", {}, percent(numbers.alpha)),
      )
    : el("span", { class: "weight" }, "left out");

function sentenceLine(sentence, numbers) {
  return el(
    "li",
    { class: "sentence" },
    el("span", {}, sentence),
    weight(numbers, "text"),
    effectMark(numbers.effect, numbers.largest, "this sentence"),
  );
}

/** The gate of the mixture of experts, one column for each expert. */
function gateChart(gate, kind, name) {
  const list = gate.map((share, k) => `expert ${k + 1}: ${percent(share)}`).join(", ");
  return el(
    "div",
    { class: `gate ${kind}`, role: "img", tabindex: "0", "aria-label": `Gate of ${name}. ${list}`, "data-tip": `Gate of ${name}. ${list}` },
    gate.map((share) => el("span", { "--share": share })),
  );
}

export function drawItem(data, state, actions, view) {
  if (!view.history.length) return draw($("#item-card"), el("p", { class: "hint" }, "Nothing to look into yet."));
  const { item } = view.history[state.selected];
  const { title, sentences } = data.items[item];
  const { text, image } = view.embeddings[state.selected];
  const all = [...view.effects.keywords, ...view.effects.sentences];
  const largest = Math.max(...all.map(Math.abs), 0.1);
  let used = -1;
  const keywordLines = state.history[state.selected].keywords.map((keyword, slot) => {
    used += keyword.used ? 1 : 0;
    const numbers = { alpha: image.alpha[used], effect: view.effects.keywords[used], largest };
    return keywordLine(data, state, actions, keyword, slot, keyword.used ? numbers : null);
  });
  const sentenceLines = sentences.map((sentence, k) =>
    sentenceLine(sentence, { alpha: text.alpha[k], effect: view.effects.sentences[k], largest }),
  );
  draw(
    $("#item-card"),
    el("h3", {}, picture(data.items[item], 56), el("span", {}, `Position ${state.selected + 1}: ${title}`)),
    el("p", { class: "caption text" }, "Its text: sentences", el("span", {}, "weight"), el("span", {}, "effect")),
    el("ul", { class: "slots text" }, sentenceLines),
    el("p", { class: "caption image" }, "Its picture: keywords", el("span", {}, "weight"), el("span", {}, "effect")),
    el("ul", { class: "slots image" }, keywordLines),
    el("p", { class: "caption" }, "Eight experts, weighted by a gate"),
    el(
      "div",
      { class: "gates" },
      gateChart(text.gate, "text", "the text"),
      gateChart(image.gate, "image", "the image"),
    ),
  );
}
