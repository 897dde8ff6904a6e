// Unit tests of the page's model: `node --test tests/explainer`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createComputer } from "../../docs/explainer/compute.js";
import { nextItemLoss } from "../../docs/explainer/losses.js";
import * as model from "../../docs/explainer/model.js";
import { createState } from "../../docs/explainer/state.js";
import * as tensor from "../../docs/explainer/tensor.js";

const folder = new URL("../../docs/explainer/", import.meta.url);
const data = JSON.parse(readFileSync(new URL("items.json", folder)));
const stored = readFileSync(new URL("weights.safetensors", folder));
const tensors = tensor.readTensors(new Uint8Array(stored).buffer);
const start = model.loadModel(tensors, "start");
const close = (found, wanted, within = 1e-6) =>
    found.forEach((value, i) =>
        assert.ok(Math.abs(value - wanted[i]) < within, `${found} ${wanted}`),
    );
const random = (rows, seed) =>
    Array.from({ length: rows }, (_, k) =>
        Float32Array.from({ length: 64 }, (_, i) => Math.sin(seed + 7 * k + i * i)),
    );

test("half precision is read exactly", () => {
    const bits = [0x0000, 0x0001, 0x3c00, 0xc000, 0x3555, 0x7bff];
    close(bits.map(tensor.fromHalf), [0, 2 ** -24, 1, -2, 0.333251953125, 65504]);
});

test("linear maps: W x + b, for any number of outputs", () => {
    const W = { shape: [5, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) };
    close(tensor.linear([1, -1], W), [-1, -1, -1, -1, -1]);
    close(tensor.linear([1, 0], W, { data: Float32Array.of(1, 1, 1, 1, 1) }), [2, 4, 6, 8, 10]);
});

test("softmax, logSumExp, LayerNorm, GELU and cosine", () => {
    close(tensor.softmax([0, Math.log(3)]), [0.25, 0.75]);
    close(tensor.softmax([1000, 1000]), [0.5, 0.5]);
    close([tensor.logSumExp([1000, 1000])], [1000 + Math.log(2)]);
    close(tensor.layerNorm([1, 3], [2, 2], [1, 0]), [-1, 2]);
    close([0, 1, -1, 5].map(tensor.gelu), [0, 0.8413447, -0.1586553, 4.9999986]);
    close([tensor.cosine([1, 0], [1, 1]), tensor.cosine([0, 0], [1, 1])], [Math.SQRT1_2, 0]);
});

test("attention pooling averages the slots; none give zero", () => {
    const [x] = random(1, 1);
    const { e, alpha } = model.attentionPooling(start, "text", [x, x, x]);
    close(alpha, [1 / 3, 1 / 3, 1 / 3]);
    close(e, x);
    close(model.attentionPooling(start, "text", []).e, new Float32Array(64));
});

test("the gate of an untrained model weighs all experts equally", () => {
    const { gate, z } = model.moeAdaptor(start, "image", random(1, 2)[0]);
    close(gate, Array(8).fill(1 / 8));
    assert.equal(z.length, 64);
});

test("an item with one modality uses its embedding for both", () => {
    const found = model.itemEmbeddings(start, { text: random(2, 3), image: [] }, 0);
    assert.deepEqual(found.image.z, found.text.z);
});

test("mixup swaps the marked positions; both sequences add up to the same", () => {
    const mixed = model.complementaryMixup([[1], [1], [1]], [[0], [0], [0]], [false, true, false]);
    assert.deepEqual(mixed, { text: [[1], [0], [1]], image: [[0], [1], [0]] });
});

test("attention is causal: later positions change nothing before them", () => {
    const z = random(5, 4);
    const all = model.causalTransformer(start, z);
    const prefix = model.causalTransformer(start, z.slice(0, 3));
    prefix.h.forEach((state, k) => close(state, all.h[k]));
    for (const head of all.attention.flat()) {
        head.forEach((read, k) => assert.equal(read.length, k + 1));
        head.forEach((read) => close([read.reduce((a, b) => a + b)], [1]));
    }
});

test("the last state alone is the last of all states", () => {
    const z = random(5, 5);
    const [last] = model.causalTransformer(start, z, true).h;
    close(last, model.causalTransformer(start, z).h[4]);
});

test("InfoNCE: log n for equal embeddings; the same target is excluded", () => {
    const same = [[1], [1], [1], [1]];
    close([nextItemLoss(same, same, [1, 2, 3, 4], 0.07).loss], [Math.log(4)]);
    close([nextItemLoss(same, same, [1, 1, 1, 1], 0.07).loss], [0]);
    const { loss, equalShares } = nextItemLoss(same, same, [1, 1, 2, 3], 0.07);
    close([loss, equalShares], Array(2).fill((2 * Math.log(3) + 2 * Math.log(4)) / 4));
});

test("an effect is the difference of two scores", () => {
    const computer = createComputer(data, tensors);
    const { state, actions } = createState(data);
    actions.chooseUser(0);
    const view = computer.view(state);
    const effects = computer.effects(view, state.selected);
    const history = view.history.toSpliced(1, 1);
    const { total } = computer.score(view.name, history).scores[view.target];
    close([effects.interactions[1]], [view.scores[view.target].total - total]);
    actions.setKeyword(state.selected, 2, { used: false });
    const without = computer.view(state).scores[view.target].total;
    close([effects.keywords[2]], [view.scores[view.target].total - without]);
});

test("a history of one interaction has no effect, an empty one no recommendation", () => {
    const computer = createComputer(data, tensors);
    const { state, actions } = createState(data);
    actions.chooseUser(null);
    assert.deepEqual(computer.view(state).ranking, []);
    actions.insert(3);
    assert.deepEqual(computer.effects(computer.view(state), 0).interactions, [null]);
    assert.equal(computer.view(state).ranking.length, data.items.length - 1);
});

test("interactions are inserted, moved and removed; the selection stays inside", () => {
    const { state, actions } = createState(data);
    actions.chooseUser(null);
    for (let item = 0; item < 12; item++) actions.insert(item);
    assert.equal(state.history.length, 9);
    actions.move(8, 0);
    assert.deepEqual(
        state.history.map((entry) => entry.item),
        [8, 0, 1, 2, 3, 4, 5, 6, 7],
    );
    actions.set({ selected: 8 });
    actions.remove(0);
    assert.equal(state.selected, 7);
});

test("the mixup probability swaps none at 0 and all at 1", () => {
    const { state, actions } = createState(data);
    actions.chooseUser(0);
    actions.setProbability(1);
    assert.ok(state.history.every((entry) => entry.swapped));
    actions.setProbability(0);
    assert.ok(state.history.every((entry) => !entry.swapped));
    actions.swap(1);
    assert.ok(state.history[1].swapped);
});

test("the explained item: the first recommendation, or the chosen one if it is not seen", () => {
    const computer = createComputer(data, tensors);
    const { state, actions } = createState(data);
    actions.chooseUser(0);
    const { ranking } = computer.view(state);
    assert.equal(computer.view(state).target, ranking[0]);
    actions.set({ focus: ranking[5] });
    assert.equal(computer.view(state).target, ranking[5]);
    actions.set({ focus: state.history[0].item });
    assert.equal(computer.view(state).target, ranking[0]);
});

test("a batch: h before the last known interaction of each user, z of that interaction", () => {
    const computer = createComputer(data, tensors);
    const { h, z, targets } = computer.batch("mixup_pretrained", "image");
    data.users.forEach(({ history }, k) => {
        assert.equal(targets[k], history.at(-2));
        const entries = history.slice(0, -1).map((item) => ({
            item,
            words: data.items[item].keywords,
            swapped: false,
        }));
        const known = computer.score("mixup_pretrained", entries.slice(0, -1));
        close(h[k], known.h.image.at(-1));
        close(z[k], computer.score("mixup_pretrained", entries).embeddings.at(-1).image.z);
    });
});
