// What the visitor has chosen, and the actions that change it. Every change is announced to all
// listeners, which compute and draw everything anew.

/** Interactions of a history on this page: as many as a user of the page can have (export.py). */
export const LONGEST = 9;

/** An interaction of the history: an item, the keywords it is shown with, and its swap bit. */
const interaction = (data, item, position) => ({
    item,
    keywords: data.items[item].keywords.map((word) => ({ word, used: true })),
    swapped: false,
    draw: spread(position), // the position is swapped when this is below the mixup probability
});

/** Numbers between 0 and 1 that look random but are the same for every visitor. */
const spread = (position) => (0.618 * (position + 1)) % 1;

/** What the page opens with, and each step of the tour starts from. */
const START = {
    user: 0,
    stage: "finetuned", // or "start", "pretrained"
    withMixup: true,
    probability: 0,
    head: [1, 0], // layer and head of the drawn curves
    focus: null, // item whose score is explained; null: the first recommendation
    temperature: 0.07,
    pairs: "text", // modality of the InfoNCE panel
};

export function createState(data) {
    const state = {
        history: [],
        selected: 0, // position whose item and attention are shown
        fresh: true, // whether there is no ranking before to compare with
        ...START,
    };
    const listeners = [];
    const change = (changes) => {
        Object.assign(state, { fresh: false, ...changes });
        state.selected = Math.max(0, Math.min(state.selected, state.history.length - 1));
        for (const listener of listeners) listener();
    };
    const edit = (position, changes) =>
        state.history.map((entry, k) => (k === position ? { ...entry, ...changes } : entry));

    const actions = {
        set: change,

        /** Show the page as it opens, but for these changes. */
        present(changes) {
            const all = { ...START, ...changes };
            Object.assign(state, all);
            actions.chooseUser(all.user, all.probability);
        },

        /** Show a user's history without its last interaction, which is to be predicted. */
        chooseUser(user, probability = 0) {
            const history = user === null ? [] : data.users[user].history.slice(0, -1);
            change({
                user,
                history: history
                    .map((item, k) => interaction(data, item, k))
                    .map((entry) => ({ ...entry, swapped: entry.draw < probability })),
                selected: history.length - 1,
                probability,
                focus: null,
                fresh: true,
            });
        },
        insert(item, position = state.history.length) {
            if (state.history.length >= LONGEST) return;
            const fresh = interaction(data, item, position);
            fresh.swapped = fresh.draw < state.probability;
            const history = state.history.toSpliced(position, 0, fresh);
            change({ history, selected: position, focus: null });
        },
        remove(position) {
            change({
                history: state.history.toSpliced(position, 1),
                selected: state.selected - (position < state.selected), // the same item as before
                focus: null,
            });
        },
        move(from, to) {
            if (to < 0 || to >= state.history.length || from === to) return;
            const history = state.history.toSpliced(from, 1).toSpliced(to, 0, state.history[from]);
            change({ history, selected: to });
        },
        setKeyword(position, slot, changes) {
            const keywords = state.history[position].keywords.map((keyword, k) =>
                k === slot ? { ...keyword, ...changes } : keyword,
            );
            change({ history: edit(position, { keywords }) });
        },
        swap(position) {
            change({ history: edit(position, { swapped: !state.history[position].swapped }) });
        },
        setProbability(probability) {
            const history = state.history.map((e) => ({ ...e, swapped: e.draw < probability }));
            change({ probability, history });
        },
        /** Draw a new random number for each position. */
        drawAgain() {
            state.history = state.history.map((entry) => ({ ...entry, draw: Math.random() }));
            actions.setProbability(state.probability);
        },
    };
    return { state, actions, listen: (listener) => listeners.push(listener) };
}
