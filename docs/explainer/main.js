// Read the stored data, connect the controls, and draw everything after every change.
import { drawAttention } from "./attention.js";
import { checkWeights } from "./broken.js";
import { createComputer, modelName } from "./compute.js";
import { $, el, percent } from "./dom.js";
import { drawHistory, makeShelf } from "./history.js";
import { drawItem } from "./item.js";
import { drawMixup } from "./mixup.js";
import { drawScores, drawVerdict } from "./scores.js";
import { createState } from "./state.js";
import { fromBase64, readTensors } from "./tensor.js";
import { startTips } from "./tips.js";
import { makeTour } from "./tour.js";
import { drawTraining } from "./training.js";
import { drawWhy } from "./why.js";

const data = JSON.parse($("#data").textContent);
const weights = fromBase64($("#weights").textContent);
checkWeights(weights, $("#weights").dataset.checksum);
const tensors = readTensors(weights);
const computer = createComputer(data, tensors);
const { state, actions, listen } = createState(data);

/** Draw everything; the effects, which take longest, only after the rest has been painted. */
function drawAll() {
    const started = performance.now();
    const view = computer.view(state);
    $("#drawing").style.setProperty("--selected", state.selected);
    document.body.classList.toggle("empty", !view.history.length);
    drawMixup(data, state, actions, view);
    drawAttention(data, state, actions, view);
    drawScores(data, state, actions, view);
    drawVerdict(data, state, view);
    drawControls();
    drawWithEffects(view);
    cancelAnimationFrame(drawn.frame);
    clearTimeout(drawn.timer);
    drawn.frame = requestAnimationFrame(() => {
        drawn.timer = setTimeout(() => {
            answered.last = performance.now() - started;
            answered.count += 1;
            drawPanels(view);
            if (isWaiting(view))
                drawWithEffects({ ...view, effects: computer.effects(view, state.selected) });
        });
    });
    if (view.name === drawn.name) drawPanels(view); // else after the drawing: it takes longer
}

function drawPanels(view) {
    const batch = `${view.name} ${state.pairs} ${state.temperature}`;
    if (batch !== drawn.batch) drawTraining(data, state, view, computer);
    if (state.stage !== drawn.stage) drawWhy(data, state, computer);
    Object.assign(drawn, { batch, name: view.name, stage: state.stage });
}

const drawn = {}; // what the panels below the drawing show, and what is still to be drawn
const answered = { count: 0, last: 0 }; // changes, and milliseconds from the last to its picture

const isWaiting = ({ history, effects }) =>
    history.length > 0 && !(effects.interactions && effects.keywords);

function drawWithEffects(view) {
    drawHistory(data, state, actions, view);
    drawItem(data, state, actions, view);
    $("#drawing").ariaBusy = String(isWaiting(view));
    renewTip();
    light();
}

const STAGE_NOTES = {
    start: "Before pre-training, only CLIP and the language model are trained; the rest starts at random.",
    pretrained: "Pre-training learned all weights from all histories, with InfoNCE and mixup.",
    finetuned:
        "Fine-tuning gave each item an ID embedding, and learned to rank the next item above all others.",
};

/** A slider moves more often than the page is painted: at most one change a frame. */
function oncePerFrame(action) {
    let frame = null;
    let next = null;
    const run = (...values) => {
        if (frame !== null) return void (next = values);
        action(...values);
        frame = requestAnimationFrame(() => {
            frame = null;
            const values = next;
            next = null;
            if (values) run(...values);
        });
    };
    return run;
}

function drawControls() {
    $("#user").value = state.user ?? "";
    $("#probability").value = state.probability;
    $("#probability-value").textContent = state.probability.toFixed(2);
    $("#probability").ariaValueText = `${state.probability.toFixed(2)}, ${$("#swapped").textContent}`;
    $("#again").disabled = state.probability === 0 || state.probability === 1; // nothing to draw
    $("#with-mixup").checked = state.withMixup;
    $("#with-mixup").disabled = state.stage === "start";
    const { stage, withMixup } = state;
    $("#stage-note").textContent = withMixup
        ? STAGE_NOTES[stage]
        : STAGE_NOTES[stage].replace(" and mixup", ", without mixup");
    $("#recall").textContent = percent(data.made_by["recall@20"][modelName(state)]);
    for (const name of ["stage", "pairs"])
        for (const input of document.querySelectorAll(`[name=${name}]`))
            input.checked = input.value === state[name];
    $("#temperature").value = Math.log10(state.temperature);
    $("#temperature").ariaValueText = state.temperature.toFixed(2);
}

$("#user").append(
    ...data.users.map(({ id, history }, k) =>
        el("option", { value: k }, `${id}, ${history.length - 1} items`),
    ),
    el("option", { value: "" }, "nobody: an empty history"),
);
const on = (selector, event, action) =>
    document.querySelectorAll(selector).forEach((e) => e.addEventListener(event, () => action(e)));
on("#user", "change", ({ value }) => actions.chooseUser(value === "" ? null : Number(value)));
on("#reset", "click", () => actions.chooseUser(state.user));
on(
    "#probability",
    "input",
    oncePerFrame(({ value }) => actions.setProbability(Number(value))),
);
on("#again", "click", () => actions.drawAgain());
on("[name=stage]", "change", ({ value }) => actions.set({ stage: value }));
on("#with-mixup", "change", ({ checked }) => actions.set({ withMixup: checked }));
on("[name=pairs]", "change", ({ value }) => actions.set({ pairs: value }));
on(
    "#temperature",
    "input",
    oncePerFrame(({ value }) => actions.set({ temperature: 10 ** Number(value) })),
);

makeShelf(data, actions);
const renewTip = startTips();
const light = makeTour({ state, actions });
listen(drawAll);
actions.chooseUser(0);
$("#broken").hidden = true;

// For tests, and for the curious in the console.
globalThis.explainer = {
    data,
    tensors,
    computer,
    state,
    actions,
    answered,
    ready: performance.now(),
};
