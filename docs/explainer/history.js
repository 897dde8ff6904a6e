// Stage 1: the history, and the shelf of pictures that it can be built from.
import { $, draw, effectMark, el, picture } from "./dom.js";
import { makeDraggable } from "./drag.js";
import { LONGEST } from "./state.js";

const tool = (key, label, sign, action, disabled = false) =>
    el(
        "button",
        { class: "tool", "data-key": key, "aria-label": label, disabled, onclick: action },
        sign,
    );

function historyRow(data, state, actions, view, position) {
    const item = data.items[view.history[position].item];
    const effects = view.effects.interactions ?? []; // not known yet
    const chosen = position === state.selected;
    const largest = Math.max(...effects.map((value) => Math.abs(value ?? 0)));
    const pick = el(
        "button",
        {
            class: "pick",
            "data-key": `pick-${position}`,
            "data-fallback": chosen,
            "aria-pressed": String(chosen),
            onclick: () => actions.set({ selected: position }),
        },
        picture(item, 44),
        el(
            "span",
            {},
            el("span", { class: "title" }, item.title),
            effectMark(effects[position], largest, "this interaction"),
        ),
    );
    const handle = el("span", { class: "handle", "aria-hidden": "true" }, "⠿"); // for fingers
    for (const part of [pick, handle])
        makeDraggable(part, {
            image: item.picture,
            drop: (place) => actions.move(position, place > position ? place - 1 : place),
        });
    const name = `position ${position + 1}, ${item.title}`;
    const last = view.history.length - 1;
    const tools =
        chosen &&
        el(
            "span",
            { class: "tools" },
            tool(
                "up",
                `Move ${name} earlier`,
                "↑",
                () => actions.move(position, position - 1),
                position === 0,
            ),
            tool(
                "down",
                `Move ${name} later`,
                "↓",
                () => actions.move(position, position + 1),
                position === last,
            ),
            tool("remove", `Remove ${name}`, "×", () => actions.remove(position)),
        );
    return el("li", { class: `row${chosen ? " selected" : ""}` }, handle, pick, tools || null);
}

export function drawHistory(data, state, actions, view) {
    const rows = view.history.map((_, k) => historyRow(data, state, actions, view, k));
    const room = LONGEST - view.history.length;
    const hint = room
        ? `${view.history.length ? "Add an item: tap or drag" : "The history is empty. Tap or drag"} an image below.`
        : `The history is full (${LONGEST} items).`;
    for (const button of $("#shelf-items").children) button.ariaDisabled = String(!room);
    draw($("#history-rows"), rows, el("li", { class: "hint" }, hint));
}

/** The shelf has one tab stop; arrow keys move along it. */
export function makeShelf(data, actions) {
    const buttons = data.items.map((item, number) => {
        const button = el(
            "button",
            {
                "aria-label": `Add ${item.title}`,
                "data-tip": item.title,
                tabindex: number ? "-1" : "0",
                onclick: () => actions.insert(number),
            },
            picture(item, 48),
        );
        makeDraggable(button, {
            image: item.picture,
            drop: (place) => actions.insert(number, place),
            scrolls: true,
        });
        return button;
    });
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -buttons.length, End: buttons.length };
    $("#shelf-items").append(...buttons);
    $("#shelf-items").addEventListener("keydown", (event) => {
        if (!(event.key in step)) return;
        event.preventDefault();
        const from = buttons.indexOf(document.activeElement);
        const to = Math.max(0, Math.min(buttons.length - 1, from + step[event.key]));
        buttons[from].tabIndex = -1;
        buttons[to].tabIndex = 0;
        buttons[to].focus();
    });
}
