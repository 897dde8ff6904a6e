// M²SE's forward pass, one function for each equation. Names are those of msm4sr_lite/encoder.py,
// mixup.py and scoring.py. Dropout is missing: it acts in training only.
import { add, cosine, dot, gelu, layerNorm, linear, row, softmax, weightedSum } from "./tensor.js";

export const MODALITIES = ["text", "image"];
export const SIZES = { dim: 64, heads: 2, layers: 2, experts: 8, featureDim: 64 };

/** A model is a function from a name to a tensor, such as "pool.text.inner.weight". */
export function loadModel(tensors, name) {
    return (key) => tensors[`${name}.${key}`];
}

/**
 * Attention pooling: one embedding e of an item's slots x_s (its sentences, or its keywords).
 *   energy_s = w2 . (W1 x_s + b1) + b2
 *   alpha = softmax(energy)
 *   e = sum_s alpha_s x_s
 */
export function attentionPooling(model, modality, slots) {
    const part = (name) => model(`pool.${modality}.${name}`);
    const energy = slots.map((x) => {
        const inner = linear(x, part("inner.weight"), part("inner.bias"));
        return linear(inner, part("outer.weight"), part("outer.bias"))[0];
    });
    const alpha = slots.length ? softmax(energy) : [];
    return { e: weightedSum(alpha, slots, SIZES.featureDim), alpha };
}

/**
 * Mixture of experts (MoE): from e to the model's width.
 *   gate = softmax(W_g e)
 *   z = sum_k gate_k LayerNorm(W_k e + b_k)
 */
export function moeAdaptor(model, modality, e) {
    const part = (name) => model(`adapt.${modality}.${name}`);
    const gate = softmax(linear(e, part("gate.weight")));
    const all = linear(e, part("project.weight"), part("project.bias")); // all W_k in one matrix
    const experts = gate.map((_, k) => {
        const output = all.subarray(k * SIZES.dim, (k + 1) * SIZES.dim);
        return layerNorm(output, row(part("scale"), k), row(part("shift"), k));
    });
    return { z: weightedSum(gate, experts, SIZES.dim), gate };
}

/**
 * Both embeddings of an item, from the slots of each modality.
 * An item with one modality uses its embedding for both. After fine-tuning, each item of the
 * catalogue also has a learned ID embedding, which is added to both.
 */
export function itemEmbeddings(model, slots, item) {
    const found = {};
    for (const modality of MODALITIES) {
        const { e, alpha } = attentionPooling(model, modality, slots[modality]);
        found[modality] = { e, alpha, ...moeAdaptor(model, modality, e) };
    }
    let {
        text: { z: zText },
        image: { z: zImage },
    } = found;
    if (!slots.text.length && slots.image.length) zText = zImage;
    if (!slots.image.length && slots.text.length) zImage = zText;
    const ids = model("ids.weight");
    if (ids) [zText, zImage] = [zText, zImage].map((z) => add(z, row(ids, item + 1))); // 0: padding
    found.text.z = zText;
    found.image.z = zImage;
    return found;
}

/**
 * Complementary sequence mixup, with swap bit b of each position:
 *   M_t = (1 - b) Z_t + b Z_v
 *   M_v = (1 - b) Z_v + b Z_t
 */
export function complementaryMixup(text, image, swaps) {
    return {
        text: text.map((z, k) => (swaps[k] ? image[k] : z)),
        image: image.map((z, k) => (swaps[k] ? text[k] : z)),
    };
}

/**
 * Causal self-attention: position k reads the positions 0..k.
 *   weights = softmax_j<=k(query_k . key_j / sqrt(width of a head))
 *   seen_k = sum_j weights_j value_j
 * Only the positions from `first` on are computed.
 */
export function attend(model, layer, x, first = 0) {
    const part = (name) => model(`transformer.blocks.${layer}.${name}`);
    const { dim, heads } = SIZES;
    const width = dim / heads;
    const qkv = x.map((state) => linear(state, part("qkv.weight"), part("qkv.bias")));
    const seen = x.slice(first).map(() => new Float32Array(dim));
    const weights = []; // weights[head][k][j], k counted from `first`
    for (let head = 0; head < heads; head++) {
        const [query, key, value] = [0, 1, 2].map((which) => {
            const start = which * dim + head * width;
            return qkv.map((of) => of.subarray(start, start + width));
        });
        const scores = (q, k) =>
            key.slice(0, first + k + 1).map((v) => dot(q, v) / Math.sqrt(width));
        weights[head] = query.slice(first).map((q, k) => softmax(scores(q, k)));
        weights[head].forEach((read, k) =>
            seen[k].set(weightedSum(read, value, width), head * width),
        );
    }
    return { seen: seen.map((s) => linear(s, part("out.weight"), part("out.bias"))), weights };
}

/**
 * A Transformer layer (post-norm):
 *   x <- LayerNorm(x + attention(x))
 *   x <- LayerNorm(x + W_down GELU(W_up x + b_up) + b_down)
 */
export function block(model, layer, x, first = 0) {
    const part = (name) => model(`transformer.blocks.${layer}.${name}`);
    const norm = (name, v) => layerNorm(v, part(`${name}.weight`).data, part(`${name}.bias`).data);
    const { seen, weights } = attend(model, layer, x, first);
    const states = x.slice(first).map((state, k) => {
        const read = norm("norm_attention", add(state, seen[k]));
        const inner = linear(read, part("up.weight"), part("up.bias")).map(gelu);
        return norm("norm_ffn", add(read, linear(inner, part("down.weight"), part("down.bias"))));
    });
    return { states, weights };
}

/**
 * The sequence encoder that both modalities share:
 *   x_k = LayerNorm(z_k + position_k), then two layers; h_k is the last state at position k.
 * With `lastOnly` the last layer computes the last position only, which is what scores need.
 */
export function causalTransformer(model, z, lastOnly = false) {
    const norm = (name) => model(`transformer.norm.${name}`).data;
    const position = model("transformer.position.weight");
    let x = z.map((v, k) => layerNorm(add(v, row(position, k)), norm("weight"), norm("bias")));
    const attention = []; // attention[layer][head][k][j]
    for (let layer = 0; layer < SIZES.layers; layer++) {
        const first = lastOnly && layer === SIZES.layers - 1 ? x.length - 1 : 0;
        const { states, weights } = block(model, layer, x, first);
        x = states;
        attention.push(weights);
    }
    return { h: x, attention };
}

/** Encode a history: mix its embeddings, then run each mixed sequence through the Transformer. */
export function encode(model, embeddings, swaps, lastOnly = false) {
    const z = (modality) => embeddings.map((entry) => entry[modality].z);
    const mixed = complementaryMixup(z("text"), z("image"), swaps);
    const text = causalTransformer(model, mixed.text, lastOnly);
    const image = causalTransformer(model, mixed.image, lastOnly);
    return {
        mixed,
        h: { text: text.h, image: image.h },
        attention: { text: text.attention, image: image.attention },
    };
}

/** score = cos(h_t, z_t) + cos(h_v, z_v), for every item of the catalogue */
export function scoreByModality(h, catalogue) {
    return catalogue.map((item) => {
        const text = cosine(h.text, item.text.z);
        const image = cosine(h.image, item.image.z);
        return { text, image, total: text + image };
    });
}
