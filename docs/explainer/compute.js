// From the state to all numbers of the drawing.
import { encode, itemEmbeddings, loadModel, scoreByModality } from "./model.js";
import { row } from "./tensor.js";

export const modelName = ({ stage, withMixup }) =>
    stage === "start" ? "start" : `${withMixup ? "mixup" : "plain"}_${stage}`;

/** Return the functions that run the stored models on the stored embeddings. */
export function createComputer(data, tensors) {
    const firsts = []; // number of each item's first sentence
    data.items.reduce((first, item, k) => ((firsts[k] = first), first + item.sentences.length), 0);
    const wordVector = (word) => row(tensors.words, data.words.indexOf(word));
    const textSlots = data.items.map((item, k) =>
        item.sentences.map((_, s) => row(tensors.sentences, firsts[k] + s)),
    );
    const catalogues = {}; // embeddings of all items, by model

    /**
     * Return what was made last for this purpose if it was made from the same, else make it; null in
     * place of a function returns undefined instead.
     */
    const kept = {};
    function keep(purpose, from, make) {
        const key = JSON.stringify(from);
        if (kept[purpose]?.key === key) return kept[purpose].value;
        if (!make) return undefined;
        kept[purpose] = { key, value: make() };
        return kept[purpose].value;
    }

    const embed = (model, item, words, text = textSlots[item]) =>
        itemEmbeddings(model, { text, image: words.map(wordVector) }, item);

    function catalogueOf(name) {
        const model = loadModel(tensors, name);
        catalogues[name] ??= data.items.map((item, k) => embed(model, k, item.keywords));
        return { model, catalogue: catalogues[name] };
    }

    /** Score the catalogue after a history of { item, words, swapped }. */
    function score(name, history) {
        const { model, catalogue } = catalogueOf(name);
        const embeddings = history.map(({ item, words }) => embed(model, item, words));
        return scoreEmbeddings(
            model,
            embeddings,
            history.map((entry) => entry.swapped),
            catalogue,
        );
    }

    function scoreEmbeddings(model, embeddings, swaps, catalogue, lastOnly = false) {
        const encoded = encode(model, embeddings, swaps, lastOnly);
        const last = { text: encoded.h.text.at(-1), image: encoded.h.image.at(-1) };
        return { embeddings, ...encoded, scores: scoreByModality(last, catalogue) };
    }

    /**
     * Leave one out: how much the score of an item falls without a piece of the history.
     *   effect = score(everything) - score(everything without the piece)
     * Without its only interaction there is no history and so no effect: null. They take longest, so
     * that they are drawn last: with `onlyKnown`, what is not computed yet is missing.
     */
    function effects(view, selected, onlyKnown = false) {
        const { name, history, embeddings, target } = view;
        const { model, catalogue } = catalogueOf(name);
        const swaps = history.map((entry) => entry.swapped);
        const without = (rest, bits) =>
            view.scores[target].total -
            scoreEmbeddings(model, rest, bits, [catalogue[target]], true).scores[0].total;
        const leaveOut = (k) =>
            history.length < 2 ? null : without(embeddings.toSpliced(k, 1), swaps.toSpliced(k, 1));
        const { item, words } = history[selected];
        const text = textSlots[item];
        const changed = (other) => without(embeddings.with(selected, other), swaps);
        const pieces = () => ({
            keywords: words.map((_, k) => changed(embed(model, item, words.toSpliced(k, 1)))),
            sentences: text.map((_, k) => changed(embed(model, item, words, text.toSpliced(k, 1)))),
        });
        const keepIf = (purpose, from, make) => keep(purpose, from, onlyKnown ? null : make);
        const from = [name, history, target];
        return {
            interactions: keepIf("interactions", from, () => history.map((_, k) => leaveOut(k))),
            ...keepIf("pieces", [...from, selected], pieces),
        };
    }

    /** Everything that the drawing shows; of the effects, those that are known. */
    function view(state) {
        const name = modelName(state);
        const history = state.history.map(({ item, keywords, swapped }) => ({
            item,
            swapped,
            words: keywords.filter((keyword) => keyword.used).map((keyword) => keyword.word),
        }));
        if (!history.length) return { name, history, ranking: [], scores: [] };
        const result = keep("result", [name, history], () => score(name, history));
        const seen = new Set(history.map((entry) => entry.item));
        const ranking = data.items
            .map((_, item) => item)
            .filter((item) => !seen.has(item))
            .sort((a, b) => result.scores[b].total - result.scores[a].total || a - b);
        const target = state.focus !== null && !seen.has(state.focus) ? state.focus : ranking[0];
        const hasIds = `${name}.ids.weight` in tensors; // after fine-tuning
        const found = { name, history, ...result, ranking, target, hasIds };
        return { ...found, effects: effects(found, state.selected, true) };
    }

    /** A batch of real users: h before their last known interaction, and z of that interaction. */
    function batch(name, modality) {
        const { model, catalogue } = catalogueOf(name);
        const histories = data.users.map((user) => user.history.slice(0, -1));
        const targets = histories.map((items) => items.at(-1));
        const h = keep("batch", [name, modality], () =>
            histories.map((items) => {
                const embeddings = items.slice(0, -1).map((item) => catalogue[item]);
                return encode(
                    model,
                    embeddings,
                    embeddings.map(() => false),
                    true,
                ).h[modality].at(-1);
            }),
        );
        return { h, targets, z: targets.map((item) => catalogue[item][modality].z) };
    }

    /** How many of a user's ten recommendations stay if all positions swap. */
    function stayWhenSwapped(name, user) {
        const items = data.users[user].history.slice(0, -1);
        const { model, catalogue } = catalogueOf(name);
        const embeddings = items.map((item) => catalogue[item]);
        const [plain, swapped] = [false, true].map((bit) => {
            const bits = items.map(() => bit);
            const { scores } = scoreEmbeddings(model, embeddings, bits, catalogue, true);
            const order = scores.map((_, i) => i).filter((i) => !items.includes(i));
            return order.sort((a, b) => scores[b].total - scores[a].total).slice(0, 10);
        });
        return plain.filter((item) => swapped.includes(item)).length;
    }

    return { score, view, effects, batch, stayWhenSwapped };
}
