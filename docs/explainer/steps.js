// The steps of the guided tour: the part of the page that each one lights, its heading and text, and
// how its state differs from that of the page as it opens.
export const STEPS = [
    {
        part: "#history",
        heading: "Meet one user",
        text: "This user interacted with these items, the oldest first. M²SE predicts which item comes next. M²SE is short for Multimodal Mixup Sequence Encoder. Nothing is played back: the trained model runs in this page.",
    },
    {
        part: "#item-card .slots.image",
        heading: "Two modalities: text and image",
        text: "Every item has a text, in blue, and an image, in orange. The text is split into sentences. CLIP, a model that compares images with words, finds the five best keywords of the image. One language model embeds each sentence and each keyword. Take a keyword out, or exchange it: all numbers follow.",
    },
    {
        part: "#item-card .slots.text",
        heading: "Attention pooling",
        text: "An item may have many sentences. Attention pooling averages their embeddings with learned weights, the bars. Keywords are pooled in the same way.",
    },
    {
        part: "#item-card .experts",
        heading: "Mixture of experts",
        text: "Eight small linear maps, the experts, translate the language model's embedding for the recommender. The gate gives each expert a weight. These weights differ from item to item.",
    },
    {
        part: "#mixup-rows",
        heading: "Two embeddings for each item",
        text: "The result is one embedding from the text, z_t, and one from the image, z_v. Each strip shows its 64 numbers. Along the history they form two sequences.",
    },
    {
        part: "#mixup",
        heading: "What is mixup?",
        text: "In pre-training, some positions swap their embeddings. The text sequence then holds a few image embeddings, and the image sequence the text embeddings that they replace. Nothing is lost. Move the slider, or press a row.",
        changes: { probability: 0.5 },
    },
    {
        part: "#why",
        heading: "Why mixup?",
        text: "The model must predict the same next item from a mixed sequence. That is easier if the text and the image embedding of an item are similar. The bars test it: swap every position, and count the recommendations that stay.",
    },
    {
        part: "#attention",
        heading: "The Transformer reads the sequence",
        text: "Each position reads itself and earlier positions. The causal mask hides later ones: else it would see the item that it must predict. A dot's area is the attention weight. Two layers have two heads each. Both sequences go through the same Transformer.",
    },
    {
        part: "#scores",
        heading: "Ten recommendations",
        text: "The last states, h_t and h_v, summarise the history. An item's score is cos(h_t, z_t) + cos(h_v, z_v). The cosine is 1 for two embeddings of the same direction. The ten highest scores are the recommendations; a star marks the real next item.",
    },
    {
        part: "#history",
        heading: "Which interactions matter?",
        text: "Leave one out: remove one interaction and score again. The small bars show how much the explained score falls (green) or rises (purple). Choose another recommendation to explain it.",
    },
    {
        part: "#training",
        heading: "How it learned: InfoNCE",
        text: "Pre-training compares each user with the next items of all users in the batch. The user's real next item, on the diagonal, should get the largest share. Lower the temperature: differences grow.",
        changes: { stage: "pretrained" },
    },
    {
        part: "#controls",
        heading: "Your turn",
        text: "Compare the model before pre-training, after it, and after fine-tuning. Choose another user, or build a history of your own. The page is back where you were before the tour.",
    },
];
