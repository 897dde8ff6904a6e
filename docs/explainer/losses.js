// The loss of pre-training, as in msm4sr_lite/losses.py.
import { cosine, logSumExp, softmax } from "./tensor.js";

/**
 * Next-item prediction (NIP), an InfoNCE loss: each h_i should be closer to its own target z_i than
 * to the targets z_j of the other users in the batch.
 *   logit_ij = cos(h_i, z_j) / tau
 *   loss = mean_i [log sum_j exp(logit_ij) - logit_ii]
 * A false negative, another row with the same target, is excluded: its logit is minus infinity.
 */
export function nextItemLoss(h, z, targets, tau) {
    const cosines = h.map((query) => z.map((key) => cosine(query, key)));
    const excluded = targets.map((a, i) => targets.map((b, j) => i !== j && a === b));
    const logits = cosines.map((line, i) =>
        line.map((value, j) => (excluded[i][j] ? -Infinity : value / tau)),
    );
    const candidates = excluded.map((line) => line.filter((out) => !out).length);
    const losses = logits.map((line, i) => logSumExp(line) - line[i]);
    return {
        loss: mean(losses),
        equalShares: mean(candidates.map(Math.log)), // the loss if all shares of a row were equal
        shares: logits.map(softmax), // the share of each target in its row's sum
        cosines,
        excluded,
    };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
