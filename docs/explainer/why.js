// The test behind "Why mixup?": how many of ten recommendations stay when all positions swap?
import { $ } from "./dom.js";

const means = {}; // by model

/** The mean over the users; a pause after each keeps the page answering. */
async function meanStay(computer, users, name) {
    let sum = 0;
    for (const user of users.keys()) {
        sum += computer.stayWhenSwapped(name, user);
        await new Promise((done) => setTimeout(done));
    }
    return sum / users.length;
}

/**
 * Show the means of both trainings at this stage, of the untrained model, and of chance. Then run
 * the other models as well, so that they are ready when the visitor chooses one.
 */
export async function drawWhy(data, state, computer) {
    const stage = state.stage === "start" ? "pretrained" : state.stage;
    const bars = { with: `mixup_${stage}`, without: `plain_${stage}`, untrained: "start" };
    for (const name of Object.values(bars))
        means[name] ??= await meanStay(computer, data.users, name);
    if (state.stage !== "start" && state.stage !== stage) return; // changed meanwhile
    $("#why-stage").textContent = stage === "pretrained" ? "pre-trained" : "fine-tuned";
    for (const [bar, name] of Object.entries(bars)) {
        $(`#why-${bar}`).textContent = means[name].toFixed(1);
        $(`#why-${bar}`).style.setProperty("--share", means[name] / 10);
    }
    // Ten items drawn at random from those that are not in the history, compared with ten others.
    const chances = data.users.map(
        ({ history }) => 100 / (data.items.length - new Set(history.slice(0, -1)).size),
    );
    $("#why-chance").textContent = (chances.reduce((a, b) => a + b) / chances.length).toFixed(1);
    for (const name of ["mixup_pretrained", "plain_pretrained"])
        means[name] ??= await meanStay(computer, data.users, name);
    $("#why").dataset.ready = "";
}
