// The guided tour: it sets the state, lights one part of the drawing, and says what is there.
import { $ } from "./dom.js";

/** Part of the page, heading, text, and what the step does before. */
const STEPS = [
    [
        "#history",
        "Meet one user",
        "This user interacted with these items, the oldest first. M²SE predicts which item comes next. Nothing is played back: the trained model runs in this page.",
        ({ actions }) => actions.chooseUser(0),
    ],
    [
        "#item",
        "Two modalities: text and image",
        "Every item has a text, in blue, and a picture, in orange. The text is split into sentences. CLIP turns the picture into its five best keywords. A language model embeds each sentence and each keyword.",
    ],
    [
        "#item",
        "Attention pooling",
        "An item may have many sentences. Attention pooling averages their embeddings with learned weights, the bars. Take a keyword out, or exchange it: all numbers follow.",
        ({ actions, state }) => actions.set({ selected: state.history.length - 1 }),
    ],
    [
        "#item",
        "Mixture of experts",
        "Eight small linear maps, the experts, translate the language model's embedding for the recommender. A gate weighs them, for each item anew.",
    ],
    [
        "#mixup",
        "Two embeddings for each item",
        "The result is one embedding from the text, z_t, and one from the image, z_v. Each strip shows its 64 numbers. Along the history they form two sequences.",
        ({ actions }) => actions.setProbability(0),
    ],
    [
        "#mixup",
        "What is mixup?",
        "In pre-training, some positions swap their embeddings. The text sequence then holds a few image embeddings, and the image sequence the text embeddings that they replace. Nothing is lost. Move the slider, or press a row.",
        ({ actions }) => actions.setProbability(0.5),
    ],
    [
        "#why",
        "Why mixup?",
        "The model must predict the same next item from a mixed sequence. It can do so only if text and image embeddings of an item mean the same. The bars test it: swap every position, and count the recommendations that stay.",
        ({ actions }) => actions.setProbability(0),
    ],
    [
        "#attention",
        "The Transformer reads the sequence",
        "Each position reads itself and earlier positions, never later ones. A dot's area is the attention weight. Two layers have two heads each. Both sequences go through the same Transformer.",
    ],
    [
        "#scores",
        "Ten recommendations",
        "The last states, h_t and h_v, summarise the history. An item's score is cos(h_t, z_t) + cos(h_v, z_v). The ten highest scores are the recommendations; the real next item is marked.",
    ],
    [
        "#history",
        "What does it rest on?",
        "Leave one out: remove one interaction and score again. The small bars show how much the explained score falls (green) or rises (purple). Choose another recommendation to explain it.",
        ({ actions }) => actions.set({ focus: null }),
    ],
    [
        "#training",
        "How it learned: InfoNCE",
        "Pre-training compares each user with the next items of all users in the batch. The own next item, on the diagonal, should get the largest share. Lower the temperature: differences grow.",
        ({ actions }) => actions.set({ stage: "pretrained" }),
    ],
    [
        "#controls",
        "Your turn",
        "Compare the model before pre-training, after it, and after fine-tuning. Choose another user, or build a history of your own.",
        ({ actions }) => actions.set({ stage: "finetuned" }),
    ],
];

export function makeTour(app) {
    let step = -1;

    function show(next) {
        document.querySelector(".lit")?.classList.remove("lit");
        step = next;
        const open = step >= 0 && step < STEPS.length;
        $("#tour").hidden = !open;
        document.body.classList.toggle("touring", open);
        if (!open) return $("#start-tour").focus({ preventScroll: true });
        const [part, heading, text, prepare] = STEPS[step];
        prepare?.(app);
        $(part).classList.add("lit");
        const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
        const narrow =
            matchMedia("(max-width: 1270px)").matches || part === "#why" || part === "#training";
        $(part).scrollIntoView({
            behavior: calm ? "auto" : "smooth",
            block: narrow ? "start" : "nearest",
        });
        $("#tour-count").textContent = `Step ${step + 1} of ${STEPS.length}`;
        $("#tour-heading").textContent = heading;
        $("#tour-text").textContent = text;
        $("#tour-back").disabled = step === 0;
        $("#tour-next").textContent = step === STEPS.length - 1 ? "Play freely" : "Next";
        $("#tour-heading").focus({ preventScroll: true });
    }

    $("#start-tour").addEventListener("click", () => show(0));
    $("#tour-next").addEventListener("click", () => show(step + 1));
    $("#tour-back").addEventListener("click", () => show(step - 1));
    $("#tour-close").addEventListener("click", () => show(-1));
    document.addEventListener("keydown", (event) => {
        if (step < 0 || event.target.matches("select, input")) return;
        if (event.key === "Escape") show(-1);
        if (event.key === "ArrowRight") show(step + 1);
        if (event.key === "ArrowLeft" && step > 0) show(step - 1);
    });
}
