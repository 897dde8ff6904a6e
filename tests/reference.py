"""The method as slow, obvious loops: which the library is compared with, values and gradients.

Nothing here calls the library. Tensors are read entry by entry and every sum is a loop, so that
each function can be checked by eye against the sentence above it.
"""

import math

import torch


def total(numbers):
    """Add up a list of scalars; the empty sum is zero."""
    result = torch.zeros((), dtype=torch.float64)
    for number in numbers:
        result = result + number
    return result


def dot(a, b):
    """Sum of the products of two vectors' entries."""
    return total(a[k] * b[k] for k in range(len(a)))


def cosine(a, b):
    """Dot product over the product of both lengths."""
    return dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())


def softmax(energies):
    """e^x of each entry, divided by their sum."""
    powers = [torch.exp(energy) for energy in energies]
    return [power / total(powers) for power in powers]


def linear(x, weight, bias=None):
    """One dot product per output: row k of the weight with x, plus the bias."""
    outputs = [dot(row, x) for row in weight]
    return torch.stack(outputs if bias is None else [o + b for o, b in zip(outputs, bias)])  # noqa: B905


def layer_norm(x, scale, shift, eps=1e-12):
    """Mean 0 and variance 1 over the entries, then scale and shift."""
    mean = total(x) / len(x)
    variance = total((value - mean) ** 2 for value in x) / len(x)
    return torch.stack(
        [(x[k] - mean) / torch.sqrt(variance + eps) * scale[k] + shift[k] for k in range(len(x))]
    )


# --------------------------------------------------------------------- encoder


def attention_pooling(slots, valid, inner, outer, mask_padding=True):
    """Pool each item's slots: energy w2 . (W1 x + b1) + b2, softmax, weighted sum.

    ``inner`` and ``outer`` are pairs of weight and bias. Without ``mask_padding`` the empty slots
    take part. Returns the pooled vectors and the weights (0 for slots that take no part).
    """
    pooled, weights = [], []
    for item in range(len(slots)):
        taking_part = [s for s in range(len(slots[item])) if valid[item][s] or not mask_padding]
        energies = [linear(linear(slots[item][s], *inner), *outer)[0] for s in taking_part]
        alpha = dict(zip(taking_part, softmax(energies), strict=True))
        zero = torch.zeros((), dtype=torch.float64)
        weights.append(torch.stack([alpha.get(s, zero) for s in range(len(slots[item]))]))
        vector = [
            total(alpha[s] * slots[item][s][f] for s in taking_part)
            for f in range(len(slots[item][0]))
        ]
        pooled.append(torch.stack(vector))
    return torch.stack(pooled), torch.stack(weights)


def moe_adaptor(x, project, scale, shift, gate):
    """Mix the experts of each row: z = sum_k softmax(x W_g)_k norm(W_k x + b_k)."""
    experts, dim = scale.shape
    rows = []
    for vector in x:
        weights = softmax(linear(vector, gate))
        outputs = []
        for k in range(experts):
            span = slice(k * dim, (k + 1) * dim)
            raw = linear(vector, project[0][span], project[1][span])
            outputs.append(layer_norm(raw, scale[k], shift[k]))
        rows.append(
            torch.stack(
                [total(weights[k] * outputs[k][d] for k in range(experts)) for d in range(dim)]
            )
        )
    return torch.stack(rows)


def gelu(x):
    """x times the probability that a standard normal number is below x."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def transformer(sequence, weights, layers, heads):
    """Encode one sequence without padding; ``weights`` are named as in a state dictionary.

    Position k attends to positions 0..k, head after head; head h has its span of query,
    key and value.
    """
    w = weights
    norm = lambda x, name: layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"])  # noqa: E731
    apply = lambda x, name: linear(x, w[f"{name}.weight"], w[f"{name}.bias"])  # noqa: E731
    time, dim = range(len(sequence)), len(sequence[0])
    width = dim // heads
    x = [norm(sequence[k] + w["position.weight"][k], "norm") for k in time]
    for layer in range(layers):
        block = f"blocks.{layer}"
        qkv = [apply(x[k], f"{block}.qkv") for k in time]
        query = [entry[:dim] for entry in qkv]
        key = [entry[dim : 2 * dim] for entry in qkv]
        value = [entry[2 * dim :] for entry in qkv]
        after = []
        for k in time:
            attended = []
            for head in range(heads):
                span = slice(head * width, (head + 1) * width)
                energies = [
                    dot(query[k][span], key[j][span]) / math.sqrt(width) for j in range(k + 1)
                ]
                alpha = softmax(energies)
                attended += [
                    total(alpha[j] * value[j][span][d] for j in range(k + 1)) for d in range(width)
                ]
            y = norm(x[k] + apply(torch.stack(attended), f"{block}.out"), f"{block}.norm_attention")
            fed = apply(torch.stack([gelu(u) for u in apply(y, f"{block}.up")]), f"{block}.down")
            after.append(norm(y + fed, f"{block}.norm_ffn"))
        x = after
    return torch.stack(x)


# --------------------------------------------------------------- augmentations


def drop(items, kept):
    """Close the gaps of one padded sequence.

    Returns the survivors with zeros behind, and for every position the place of the last survivor
    at or before it (0 if there is none).
    """
    left, state = [], []
    for item, stays in zip(items, kept, strict=True):
        if stays:
            left.append(item)
        state.append(max(len(left) - 1, 0))
    return left + [0] * (len(items) - len(left)), state


def mixup(text, image, swaps):
    """Exchange both vectors at the marked positions of each sequence."""
    mixed_text, mixed_image = [], []
    for row in range(len(swaps)):
        for position in range(len(swaps[row])):
            pair = text[row][position], image[row][position]
            first, second = pair[::-1] if swaps[row][position] else pair
            mixed_text.append(first)
            mixed_image.append(second)
    return torch.stack(mixed_text).view_as(text), torch.stack(mixed_image).view_as(image)


# ---------------------------------------------------------------------- losses


def false_negatives(targets, users, same_user):
    """Say for each pair of rows whether they must not be negatives of each other."""
    return [
        [
            targets[i] == targets[j] or (same_user and users[i] == users[j])
            for j in range(len(targets))
        ]
        for i in range(len(targets))
    ]


def denominator_terms(i, similarities, masked, tau, zero_logit):
    """e^(s/tau) of row i's negatives; a masked pair adds e^0 or nothing, row i itself nothing."""
    terms = []
    for j, similarity in enumerate(similarities):
        if not masked[i][j]:
            terms.append(torch.exp(similarity / tau))
        elif j != i and zero_logit:
            terms.append(torch.ones((), dtype=torch.float64))
    return terms


def next_item_row(i, states, targets, masked, tau, zero_logit=False):
    """NIP of row i: minus the log of the positives' share; several states add up."""
    positives, negatives = [], []
    for state in states:
        similarities = [cosine(state[i], target) for target in targets]
        positives.append(torch.exp(similarities[i] / tau))
        negatives += denominator_terms(i, similarities, masked, tau, zero_logit)
    return -torch.log(total(positives) / (total(positives) + total(negatives)))


def next_item_loss(states, targets, masked, tau, zero_logit=False):
    """NIP: the mean over the rows. ``states`` is a list with one state, or several."""
    rows = range(len(targets))
    return total(next_item_row(i, states, targets, masked, tau, zero_logit) for i in rows) / len(
        targets
    )


def cross_modal_row(i, text, image, masked, tau, zero_logit=False, rowwise=False):
    """CMCL of row i: the mean of the text direction and the image direction."""
    positive = torch.exp(cosine(text[i], image[i]) / tau)
    text_to_image = [cosine(text[i], other) for other in image]
    image_to_text = [cosine(image[i], other) for other in text]
    losses = []
    for across, within in (
        (text_to_image, [cosine(text[i], other) for other in text]),
        (text_to_image if rowwise else image_to_text, [cosine(image[i], other) for other in image]),
    ):
        negatives = denominator_terms(i, across, masked, tau, zero_logit)
        negatives += denominator_terms(i, within, masked, tau, zero_logit)
        losses.append(-torch.log(positive / (positive + total(negatives))))
    return (losses[0] + losses[1]) / 2


def cross_modal_loss(text, image, masked, tau, zero_logit=False, rowwise=False):
    """CMCL: the mean over the rows."""
    rows = range(len(text))
    return total(
        cross_modal_row(i, text, image, masked, tau, zero_logit, rowwise) for i in rows
    ) / len(text)


def ranking_loss(scores, targets, tau):
    """Cross-entropy: minus the log of the target's share among all columns."""
    losses = []
    for row, target in zip(scores, targets, strict=True):
        losses.append(-torch.log(softmax([score / tau for score in row])[target]))
    return total(losses) / len(losses)


# --------------------------------------------------------------------- ranking


def rank(scores, target, hidden=()):
    """1 + the other items that score at least as much; column 0 and hidden items do not compete."""
    better = 0
    for item in range(1, len(scores)):
        if item != target and item not in hidden and scores[item] >= scores[target]:
            better += 1
    return 1 + better


def ranking_metrics(target_rank, k):
    """Recall, NDCG and MRR at k of a list with one relevant item, place after place."""
    found, gain, reciprocal = 0.0, 0.0, 0.0
    for place in range(1, k + 1):
        relevant = 1.0 if place == target_rank else 0.0
        found += relevant
        gain += relevant / math.log2(place + 1)
        reciprocal += relevant / place
    best_gain = 1.0 / math.log2(1 + 1)
    return {"recall": found, "ndcg": gain / best_gain, "mrr": reciprocal}
