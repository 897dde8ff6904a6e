// Stage 5: the ten items with the highest scores, and what is said to screen readers.
import { makeDraggable } from "./drag.js";
import { $, draw, el, number, picture, strip } from "./dom.js";

/** The ranking that is shown, and the one before the last change; none if the history is fresh. */
const shown = { ranking: [], before: [] };

function remember(isFresh, ranking) {
    const isNew = String(ranking) !== String(shown.ranking);
    const before = isFresh ? [] : isNew ? shown.ranking : shown.before;
    Object.assign(shown, { ranking, before });
}

/** What became of an item's rank since the ranking before. */
function moved(item, rank) {
    if (!shown.before.length) return "";
    const old = shown.before.indexOf(item);
    if (old === rank) return "";
    if (old < 0 || (old > 9 && rank < 10)) return "new";
    return old > rank ? `▲${old - rank}` : `▼${rank - old}`;
}

/** The two cosines, one after the other; a negative one has no bar but keeps its number. */
function scoreBar({ text, image }) {
    return el(
        "span",
        { class: "score-bar" },
        el("span", { class: "bar text", "--share": Math.max(0, text) / 2 }),
        el("span", { class: "bar image", "--share": Math.max(0, image) / 2 }),
    );
}

function scoreRow(data, state, actions, view, item, rank) {
    const { text, image, total } = view.scores[item];
    const { title } = data.items[item];
    const taken = state.user !== null && data.users[state.user].history.at(-1) === item;
    const chosen = item === view.target;
    const numbers = `text ${number(text)}, image ${number(image)}, together ${number(total)}`;
    const change = moved(item, rank);
    const said = change.replace("▲", "; ranks gained: ").replace("▼", "; ranks lost: ");
    const pick = el(
        "button",
        {
            class: "pick",
            "data-key": `score-${rank}`,
            "aria-pressed": String(chosen),
            "aria-label": `${rank + 1}. ${title}: ${numbers}${said.replace(/^new/, "; new")}${taken ? "; the user's real next item" : ""}. Explain this score`,
            "data-tip": `cos(h_t, z_t) = ${text.toFixed(4)}, cos(h_v, z_v) = ${image.toFixed(4)}`,
            onclick: () => actions.set({ focus: item }),
        },
        el(
            "span",
            { class: "rank" },
            String(rank + 1),
            el("span", { class: `moved${change[0] === "▼" ? " down" : ""}` }, change),
        ),
        picture(data.items[item], 44),
        el(
            "span",
            {},
            el("span", { class: "title" }, taken && el("b", { class: "taken" }, "★ "), title),
            el("span", { class: "numbers" }, scoreBar({ text, image }), el("b", {}, number(total))),
        ),
    );
    makeDraggable(pick, {
        image: data.items[item].picture,
        drop: (place) => actions.insert(item, place),
    });
    return el("li", { class: `row score${chosen ? " chosen" : ""}` }, pick);
}

export function drawScores(data, state, actions, view) {
    remember(state.fresh, view.ranking);
    if (!view.ranking.length) {
        draw($("#score-rows"), el("li", { class: "hint" }, "No history, no recommendation."));
        sayAloud("The history is empty: no recommendation.");
        draw($("#states"));
        return;
    }
    const last = view.history.length - 1;
    draw(
        $("#states"),
        el(
            "span",
            { class: "ink-text" },
            el("span", {}, "h", el("sub", {}, "t")),
            strip(view.h.text[last], "text", "h_t of the last position", true),
        ),
        el(
            "span",
            { class: "ink-image" },
            el("span", {}, "h", el("sub", {}, "v")),
            strip(view.h.image[last], "image", "h_v of the last position", true),
        ),
    );
    const top = view.ranking.slice(0, 10);
    const outside = top.includes(view.target) ? [] : [view.target]; // explained, so shown as well
    draw(
        $("#score-rows"),
        [...top, ...outside].map((item) =>
            scoreRow(data, state, actions, view, item, view.ranking.indexOf(item)),
        ),
    );
    draw(
        $("#top-strip"),
        el("span", {}, "Top five"),
        top.slice(0, 5).map((item) => picture(data.items[item], 40)),
    );
    $("#explained").textContent = data.items[view.target].title;
    announce(data, view, top);
}

/** Tell screen readers what has changed, in one sentence. What is said already is not repeated. */
function announce(data, view, top) {
    const old = shown.before.slice(0, 10);
    const fresh = top.filter((item) => !old.includes(item)).length;
    const compared = old.length ? ` ${fresh} of 10 are new.` : "";
    const first = data.items[top[0]].title;
    sayAloud(
        `First recommendation: ${first}, score ${number(view.scores[top[0]].total)}.${compared}`,
    );
}

function sayAloud(text) {
    if ($("#live").textContent !== text) $("#live").textContent = text;
}

/** Where the user's real next item stands. */
export function drawVerdict(data, state, view) {
    const verdict = $("#verdict");
    if (state.user === null || !view.ranking.length) return void (verdict.textContent = "");
    const rank = view.ranking.indexOf(data.users[state.user].history.at(-1)) + 1;
    verdict.textContent = rank
        ? `★ The user's real next item: rank ${rank} of ${view.ranking.length} on this page.`
        : "★ The user's real next item is in the history now.";
}
