// The InfoNCE panel: a batch of real users, and the loss that pre-training lowers.
import { $, draw, el, percent, picture } from "./dom.js";
import { nextItemLoss } from "./losses.js";

export function drawTraining(data, state, view, computer) {
    const { h, z, targets } = computer.batch(view.name, state.pairs);
    const found = nextItemLoss(h, z, targets, state.temperature);
    const { loss, equalShares, shares, cosines, excluded } = found;
    const head = el(
        "tr",
        {},
        el("th", { scope: "col" }, "user"),
        targets.map((item) => el("th", { scope: "col" }, named(data.items[item]))),
    );
    const rows = shares.map((line, i) =>
        el(
            "tr",
            {},
            el("th", { scope: "row" }, data.users[i].id),
            line.map((share, j) => cell(share, cosines[i][j], i === j, excluded[i][j])),
        ),
    );
    draw($("#batch"), el("thead", {}, head), el("tbody", {}, rows));
    $("#loss").textContent = loss.toFixed(3);
    $("#guess").textContent = equalShares.toFixed(3);
    $("#temperature-value").textContent = state.temperature.toFixed(2);
}

const named = (item) => {
    const image = picture(item, 32);
    image.alt = item.title;
    return image;
};

function cell(share, cosine, own, excluded) {
    const tip = excluded
        ? "The same next item: a false negative, excluded."
        : `cosine ${cosine.toFixed(4)}, share ${share.toFixed(4)}`;
    return el(
        "td",
        {
            class: `${own ? "own" : ""}${excluded ? " excluded" : ""}`,
            "data-tip": tip,
            "--share": excluded ? 0 : share,
        },
        el("span", {}, excluded ? "×" : percent(share)),
    );
}
