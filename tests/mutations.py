# ruff: noqa: E501  one line per breakage
"""Named ways to break the method's code, each a replacement of one piece of source text.

``tests/mutate.py`` tries them; ``tests/test_mutations.py`` checks that they still fit the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutation:
    """In ``module`` the text ``old``, which occurs there once, becomes ``new``."""

    module: str
    name: str
    old: str
    new: str

    @property
    def path(self) -> str:
        return f"msm4sr_lite/{self.module}.py"

    def apply(self, source: str) -> str:
        """Return the broken source."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.module}: {self.name}: its text must occur once, not"
                f" {source.count(self.old)} times; update tests/mutations.py: {self.old!r}"
            )
        return source.replace(self.old, self.new)


# Where an expression is replaced by another of the same shape, only its value can reveal it.
# fmt: off
BROKEN: dict[str, list[tuple[str, str, str]]] = {
    "mixup": [
        ("the text sequence is not mixed", "return torch.where(b, image, text), torch", "return text, torch"),
        ("the image sequence is not mixed", "image, text), torch.where(b, text, image)", "image, text), image"),
        ("embeddings are blended, not exchanged", "return torch.where(b, image, text), torch.where(b, text, image)", "return text + b * (image - text) / 2, image + b * (text - image) / 2"),
        ("whole sequences change places", "generator=generator) < p)", "generator=generator)[:, :1] < p)"),
        ("padding changes places", "< p).to(items.device) & (items != 0)", "< p).to(items.device) | (items == 0)"),
        ("the upper limit of a probability is ignored", "(drawn * limit)", "drawn"),
        ("batch and sequence are confused", 'if per == "sequence"', 'if per == "batch"'),
        ("fixed and drawn probabilities are confused", "if fixed else", "if not fixed else"),
        ("no item is protected from dropping", "items)), protected] = True", "items)), protected] |= False"),
        ("always the first item is protected", 'protected = 0 if keep == "first" else (items != 0).sum(dim=1) - 1', "protected = 0"),
        ("padding is kept", "return kept & (items != 0)", "return kept"),
        ("a state is read one position late", "cumsum(dim=1) - 1", "cumsum(dim=1)"),
        ("gaps stay open", "(items * kept).gather(1, order)", "items * kept"),
        ("the drop probability is never drawn", "q = draw_probability(config.drop_max,", "q = draw_probability(0 * config.drop_max,"),
    ],
    "encoder": [
        ("slot padding is never masked", "if not self.mask_padding:", "if True:"),
        ("slot padding is always masked", "if not self.mask_padding:", "if False:"),
        ("attention weights do not train", "energy.softmax(dim=-1) * valid", "energy.softmax(dim=-1).detach() * valid"),
        ("attention weights sum to 1 over items", "energy.softmax(dim=-1) * valid", "energy.softmax(dim=0) * valid"),
        ("items without slots have weights", "energy.softmax(dim=-1) * valid", "energy.softmax(dim=-1)"),
        ("a non-linearity in the attention pooling", "self.outer(self.inner(slots))", "self.outer(self.inner(slots).tanh())"),
        ("the mean counts empty slots", "valid.sum(dim=1, keepdim=True).clamp_min(1)", "valid.shape[1]"),
        ("gates sum to 1 over items", "self.gate(x).softmax(dim=-1)", "self.gate(x).softmax(0)"),
        ("gates do not sum to 1", "self.gate(x).softmax(dim=-1)", "self.gate(x).sigmoid()"),
        ("gates do not start equal", "nn.init.zeros_(self.gate.weight)", "nn.init.normal_(self.gate.weight)"),
        ("an expert has every E-th column", ".unflatten(-1, (self.experts, self.dim))", ".unflatten(-1, (self.dim, self.experts)).transpose(1, 2)"),
        ("experts are not normalized", "F.layer_norm(outputs, (self.dim,), eps=NORM_EPS) * self.scale", "outputs * self.scale"),
        ("the future is visible", "is_causal=True", "is_causal=False"),
        ("heads have every h-th column", "unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)", "unflatten(-1, (3, -1, self.heads)).permute(2, 0, 4, 1, 3)"),
        ("query and key change places", "query, key, value = self.qkv", "key, query, value = self.qkv"),
        ("no residual around attention", "self.norm_attention(x + self.dropout(self.attend(x)))", "self.norm_attention(self.dropout(self.attend(x)))"),
        ("GELU is approximated", "F.gelu(self.up(x))", 'F.gelu(self.up(x), approximate="tanh")'),
        ("attention dropout stays on in evaluation", "dropout = self.attention_dropout * self.training", "dropout = self.attention_dropout"),
        ("positions are missing", "x + self.position.weight[: x.shape[1]]", "x"),
        ("positions count from the end", "self.position.weight[: x.shape[1]]", "self.position.weight[: x.shape[1]].flip(0)"),
        ("both modalities use one adaptor", "self.adapt[modality](self.feature", "self.adapt[self.modalities[0]](self.feature"),
        ("both modalities read the text", "getattr(table, m), items)", "table.text, items)"),
        ("an item without text has an empty text embedding", 'torch.where(has_text | ~has_image, text, image)', "text"),
        ("states of the modalities are confused", "zip(self.modalities, h.chunk", "zip(self.modalities[::-1], h.chunk"),
        ("IDs are added to one modality", "modality: embeddings + ids for", 'modality: embeddings + ids * (modality == "text") for'),
        ("the score is that of one modality", "for modality in h]).sum", "for modality in list(h)[:1]]).sum"),
        ("normalized embeddings of one modality", "for embeddings in modalities.values()]", "for embeddings in list(modalities.values())[:1]]"),
        ("the pooling trains although it should not", "self.pool.requires_grad_(c.train_pooling)", "self.pool.requires_grad_(True)"),
        ("the padding row of the IDs is not zero", "self.ids.weight[1:], std", "self.ids.weight, std"),
    ],
    "whitening": [
        ("the mean stays", "(x - self.mean) @ self.matrix", "x @ self.matrix"),
        ("variances stay unequal", "directions * scales", "directions"),
        ("directions of small variance come first", "variances.flip(0), directions.flip(1)", "variances, directions"),
        ("rounding errors are whitened", "is_real = variances > max(float(variances[0]) * RANK, torch.finfo(torch.float32).tiny)", "is_real = variances > -1"),
        ("ZCA is PCA", 'whitened @ directions.T if kind == "zca" else whitened', "whitened"),
        ("centring whitens", 'if kind == "centre":', "if False:"),
        ("a projector starts large", "components.matrix.T * (1 if self.second else START_STD)", "components.matrix.T"),
        ("the components of a projector are not centred", "layer.bias[:n] = -layer.weight[:n] @ components.mean", "layer.bias[:n] = 0"),
        ("a second layer starts large", "std=START_STD / dim**0.5", "std=1.0"),
        ("a second layer is not used", "self.second(F.gelu(z)) if self.second else z", "z"),
    ],
    "initialize": [
        ("whitening sees items without training interactions", "slots.means()[seen & (slots.counts > 0)]", "slots.means()[slots.counts > 0]"),
        ("whitening sees items without slots", "slots.means()[seen & (slots.counts > 0)]", "slots.means()[seen]"),
        ("one modality is computed twice", 'found[0] if len(found) == 1 else "both"', '"both"'),
        ("the width of whitening is ignored", "config.features.whitened_width(width)", "width"),
        ("a projector starts from raw features", "adaptor.start(whitening(features))", "adaptor.start(features)"),
        ("nothing is transferred", "    model.load_state_dict(weights, strict=False)\n", ""),
    ],
    "similarity": [
        ("item embeddings are not normalized", "normalize(items).T", "items.float().T"),
        ("queries are not normalized", "normalize(queries) @", "queries.float() @"),
        ("cosines are rounded to half precision under autocast", "with torch.autocast(queries.device.type, enabled=False):", "if True:"),
    ],
    "losses": [
        ("rows with the same target stay negatives", "masked = targets[:, None] == targets[None, :]", "masked = torch.eye(len(targets), dtype=torch.bool, device=targets.device)"),
        ("rows of one user always stay negatives", "if same_user else masked", "if False else masked"),
        ("rows of one user are never negatives", "if same_user else masked", "if True else masked"),
        ("the temperature multiplies", "keys) / tau)", "keys) * tau)"),
        ("the positive is masked, too", "masked & ~torch.eye(len(keys), dtype=torch.bool, device=keys.device)", "masked"),
        ("false negatives are negatives", ".masked_fill(off_diagonal, logit)", ".masked_fill(off_diagonal & False, logit)"),
        ("false negatives are always excluded", ".masked_fill(off_diagonal, logit)", ".masked_fill(off_diagonal, EXCLUDED)"),
        ("NIP chooses among sequences, not items", "logits.logsumexp(dim=(0, 2))", "logits.logsumexp(dim=(0, 1))"),
        ("NIP averages several states instead of adding them", "positives.logsumexp(dim=0)", "positives.mean(dim=0)"),
        ("NIP adds rows up", "positives.logsumexp(dim=0)).mean()", "positives.logsumexp(dim=0)).sum()"),
        ("CMCL: an anchor is a negative of itself", ".fill_diagonal_(EXCLUDED)", ""),
        ("CMCL has no negatives within a modality", "torch.cat([across, within], dim=1)", "across"),
        ("CMCL is always row-wise", 'if form == "rowwise" else', "if True else"),
        ("CMCL is never row-wise", 'if form == "rowwise" else', "if False else"),
        ("CMCL compares texts within both modalities", "masked_logits(anchor, anchor,", "masked_logits(text, text,"),
        ("CMCL adds the directions up", "torch.stack(losses).mean()", "torch.stack(losses).sum()"),
        ("fine-tuning forgets the temperature", "scores.float() / temperature", "scores.float()"),
        ("sampled negatives are not corrected", "/ temperature - log_count", "/ temperature"),
        ("a sampled target counts twice", "negatives.masked_fill(drawn == target[:, None], EXCLUDED)", "negatives"),
    ],
    "objectives": [
        ("dropping does not move the states", "states[rows, last_kept[rows, position]] for", "states[rows, position] for"),
        ("mixup has no effect", 'z["text"], z["image"] = complementary_mixup(z["text"], z["image"], swaps)', "pass"),
        ("the image sequence predicts texts", "losses.next_item_loss(h[m], z[m],", "losses.next_item_loss(h[m], z[model.modalities[0]],"),
        ("lambda is forgotten", 'config.cmcl_weight * parts["cmcl"]', 'parts["cmcl"]'),
        ("the weight of NIP is forgotten", "config.nip_weight * torch", "torch"),
        ("CMCL uses the negatives of NIP", 'same_user=config.cmcl_same_user == "exclude"', 'same_user=config.nip_same_user == "exclude"'),
        ("projections are not used", "project(both) for", "both for"),
        ("the form of CMCL is forgotten", '        options["form"] = config.cmcl_form\n', ""),
        ("false negatives always have the logit 0", 'losses.EXCLUDED if config.same_target == "exclude" else 0.0', "0.0"),
        ("fine-tuning has no IDs", "z = model.with_ids(model.item_embeddings(table, items), items)", "z = model.item_embeddings(table, items)"),
        ("padding is always a class", "is_class[0] = config.pad_class", "is_class[0] = True"),
        ("items without interactions are classes all the same", 'config.candidates == "seen"', 'config.candidates == "never"'),
        ("negatives are drawn alike", "if popularity is None else popularity", "if True else popularity"),
        ("the logQ correction counts one draw", "(count * popularity[drawn]).log()", "popularity[drawn].log()"),
    ],
    "evaluation": [
        ("ties count for the target", "scores >= threshold", "scores > threshold"),
        ("NaN is the highest score", "| threshold.isnan()", ""),
        ("items that are not allowed compete", "threshold.isnan()) & allowed", "threshold.isnan())"),
        ("the target ranks behind itself", "better_or_equal.scatter(1, column, False)", "better_or_equal"),
        ("ranks count from 0", "return 1 + better_or_equal", "return better_or_equal"),
        ("padding competes", "torch.arange(1, scores.shape[1]) if", "torch.arange(scores.shape[1]) if"),
        ("the history is always filtered", "&= not filter_seen", "&= False"),
        ("candidates are ignored", "if candidates is None else candidates", "if True else candidates"),
        ("NDCG uses the natural logarithm", "np.log2(ranks + 1)", "np.log(ranks + 1)"),
        ("NDCG discounts from the first rank on", "np.log2(ranks + 1)", "np.log2(ranks + 2)"),
        ("rank K itself is no hit", "(ranks <= k)", "(ranks < k)"),
        ("MRR counts ranks from zero", "hit / ranks", "hit / (ranks + 1)"),
    ],
    "intervals": [
        ("the interval is a 90 % interval", "[0.025, 0.975]", "[0.05, 0.95]"),
        ("the cases of a user are drawn one by one", "if users is None else", "if True else"),
        ("users with many cases weigh as much as others", "row @ sums / (row @ cases)", "row @ (sums / cases[:, None]) / row.sum()"),
    ],
    "scoring": [
        ("the state after the padding is used", "(items != 0).sum(dim=1) - 1", "-torch.ones(len(items), dtype=torch.long)"),
        ("scores are averaged over modalities", ".values())).sum(dim=0)", ".values())).mean(dim=0)"),
        ("candidates have no IDs", "return self.model.with_ids(z, items)", "return z"),
        ("the order of a selection is ignored", "gather_rows(self.items, rows)", "self.items"),
    ],
    "feature_table": [
        ("appended items read the older slots", "other.starts[1:] + len(self.vectors)", "other.starts[1:]"),
        ("another order keeps the old slots", "Slots(self.vectors, self.starts[rows], self.counts[rows])", "Slots(self.vectors, self.starts, self.counts[rows])"),
    ],
    "sequences": [
        ("the newest items are cut off", "sequence[-max_len:]", "sequence[:max_len]"),
        ("padding is on the left", "row[: len(sequence)] = sequence", "row[len(row) - len(sequence) :] = sequence"),
        ("training sees the validation item", "self.user_sequence(user)[:end]", "self.user_sequence(user)[: end + 1]"),
        ("validation and test change places", 'self.bounds()[:2] if part == "valid"', 'self.bounds()[:2] if part == "test"'),
        ("a history lacks its newest item", "[self.interactions[s:e] for", "[self.interactions[s : e - 1] for"),
        ("a history holds its target", "[self.interactions[s:e] for", "[self.interactions[s : e + 1] for"),
        ("an empty history is a test case", "np.arange(max(first, 1), end)", "np.arange(first, end)"),
        ("targets are the inputs", "targets = pad([window[1:]", "targets = pad([window[:-1]"),
        ("a prefix predicts all of its items", "targets * (torch.arange(items.shape[1]) == last)", "targets"),
        ("always the first targets are kept", "(1 + torch.rand(", "(1 + 0 * torch.rand("),
        ("all targets are kept", "targets * torch.zeros_like(targets).scatter_(1, kept, 1)", "targets"),
        ("windows begin one item late", "end - max_len - 1) : end] for end in reversed", "end - max_len) : end] for end in reversed"),
        ("the last rows of an epoch are lost", "    if rows:\n", "    if False:\n"),
    ],
    "training": [
        ("patience ends one epoch early", "run.waited <= config", "run.waited < config"),
        ("the last weights are kept, not the best", "model.load_state_dict(run.best)", "run.best"),
        ("a resumed training draws other masks", "generator.manual_seed(_seed(seed, 1, run.step))", "generator.seed()"),
        ("a resumed epoch begins again", "run.done, None)", "0, None)"),
        ("the test items choose the weights", 'held_out("valid")', 'held_out("test")'),
        ("all epochs have one order", "_seed(seed, 0, run.epoch)", "_seed(seed, 0)"),
        ("an interrupted model stays in training mode", "        model.eval()", "        pass"),
    ],
    "training_run": [
        ("a tie is no improvement", "not recall < self.recall", "recall > self.recall"),
        ("the best weights go on changing", "copy.deepcopy(self.model.state_dict())", "self.model.state_dict()"),
        ("a gradient that is not finite is used", "[total, *each, length]).all()", "[total, *each]).all()"),
        ("gradients are not clipped", "clip_norm or math.inf", "1e9"),
        ("clip_norm 0 stops the training", "clip_norm or math.inf", "clip_norm"),
        ("weights that are not finite are kept", "if not weight.isfinite().all():", "if False:"),
        ("the loss of an epoch is not weighted by targets", "self.total + total * n_targets", "self.total + total"),
    ],
    "fast/encoder": [
        ("dropout keeps what it should drop", ".ge_(p)", ".lt_(p)"),
        ("dropout goes on outside training", "if not training or not", "if not"),
        ("what dropout keeps is not scaled", ".div_(1 - p)", ""),
        ("features have no dropout", "dropout(x, model.feature_dropout.p, model.training)", "x"),
        ("hidden states after attention have no dropout", "x + dropout(attended, p, training)", "x + attended"),
        ("the input of the Transformer has no dropout", "x = dropout(x, transformer.dropout.p, transformer.training)", "x = x + 0"),
        ("in training the pooling has no first map", "(pooling.outer.weight @ pooling.inner.weight).squeeze(0)", "pooling.inner.weight.sum(dim=0)"),
        ("items with few slots come first", "torch.cat(pooled)[order.argsort()]", "torch.cat(pooled)"),
        ("without a mask, padding is left out", 'if not getattr(pooling, "mask_padding", True):', "if False:"),
        ("pooled slots are used although the pooling trains", "if any(weight.requires_grad for weight in model.pool.parameters()):", "if False:"),
        ("a state asked for alone sees the future", "<= at.unsqueeze(2)).unsqueeze(1)", ">= 0 * at.unsqueeze(2)).unsqueeze(1)"),
        ("the last layer answers for the first positions", "x, query = x[rows, at],", "x, query = x[:, : at.shape[1]],"),
    ],
    "fast/losses": [
        ("NIP multiplies by the temperature", "states = normalize(several) / temperature", "states = normalize(several) * temperature"),
        ("the masked logit is forgotten", "others[rows], masked_logit", "others[rows], EXCLUDED"),
        ("rows of a later block are masked like the first", "others[rows], masked_logit", "others[: len(a[0, rows])], masked_logit"),
        ("the gradient of masked pairs is kept", "if masked_logit != EXCLUDED:", "if False:"),
        ("the loss adds rows up", "- numerator).sum() / count", "- numerator).sum()"),
        ("a later block looks for its diagonal in the first columns", "diagonal = scores[:positives].diagonal(first, 1, 2)", "diagonal = scores[:positives].diagonal(0, 1, 2)"),
        ("the positive attracts nothing", ".sub_((diagonal - numerator).exp())", ".sub_(0)"),
        ("only the last block moves the keys", "grad_b += gradient.mT", "grad_b = gradient.mT"),
        ("CMCL: an anchor is a negative of itself", "scores[positives:].diagonal(first, 1, 2).fill_(EXCLUDED)", "scores[positives:].diagonal(first, 1, 2)"),
        ("CMCL is always row-wise", '(v, t) if form == "symmetric" else (t, v)', "(t, v)"),
        ("the target of the catalogue loss attracts nothing", "gradient.new_full(column.shape, -1.0)", "gradient.new_full(column.shape, 0.0)"),
        ("only the last block moves the items", "grad_b.addmm_(gradient.T, a[rows], alpha=1 / len(a))", "grad_b = gradient.T @ a[rows] / len(a)"),
        ("the catalogue loss adds rows up", "squeeze(1)).sum() / len(a)", "squeeze(1)).sum()"),
        ("the catalogue loss forgets the temperature", "CatalogueCrossEntropy.apply(h / temperature, z, target)", "CatalogueCrossEntropy.apply(h, z, target)"),
        ("sampled negatives are not corrected", "h @ drawn.T / temperature - log_count", "h @ drawn.T / temperature"),
        ("a sampled target counts twice", ".masked_fill(hit, EXCLUDED)", ""),
    ],
    "fast/objectives": [
        ("dropping does not move the states", "needed = last_kept[rows[is_local], position[is_local]]", "needed = position[is_local]"),
        ("mixup has no effect", 'zip(("text", "image"), mixed, strict', 'zip(("text", "image"), z.values(), strict'),
        ("states of a group are confused", "rows[inside] - first, column[inside]", "rows[inside] - first, 0 * column[inside]"),
        ("a group is trimmed too far", "int(lengths[group].max())", "int(lengths[group].min())"),
        ("the class of an item is its neighbour's", "column = row_of[target] - first", "column = row_of[target]"),
        ("padding is always a class", "0 if config.pad_class else 1", "0"),
        ("fine-tuning has no IDs", "embeddings = model.with_ids(model.item_embeddings(table, items), items)", "embeddings = model.item_embeddings(table, items)"),
    ],
    "fast/evaluation": [
        ("ties count for the target", "scores >= threshold", "scores > threshold"),
        ("padding competes", "        better[:, 0] = False  # padding\n", ""),
        ("the history is always filtered", "if filter_seen:", "if True:"),
        ("candidates are ignored", "better &= allowed", "better &= True"),
        ("a history is skipped", "start += len(batch)", "start += len(batch) + 1"),
        ("scores that are not finite are ranked", "if not all_finite(scores):", "if False:"),
    ],
    "fast/scoring": [
        ("scores end one item early", "history), longest) - 1 for", "history), longest) - 2 for"),
        ("scores of histories are confused", "h[torch.from_numpy(group)", "h[torch.from_numpy(group[::-1].copy())"),
    ],
    "fast/sequences": [
        ("rows of a batch are not sorted", "sorted(rows, key=lambda row: len(row[1]))", "list(rows)"),
    ],
    "fast/distributed": [
        ("two processes have a row", "count * (r + 1) // world)", "count * (r + 1) // world + r)"),
    ],
    "baselines/ensemble": [
        ("places end at the last item", "np.interp(x, known, scores) + outside", "np.interp(x, known, scores)"),
        ("scores are not standardised", "w * standardise(self.parts[n].score(histories))", "w * self.parts[n].score(histories).double()"),
        ("histories keep the other order", "[order[history] for history in histories]", "[*histories]"),
        ("scores keep the other order", "total[:, columns]", "total"),
        ("terms keep the other order", "term[:, columns] for n, term", "term for n, term"),
        ("counts of new items are used", "term[:, new] = 0", "term[:, new] *= 1"),
        ("histories without a preference stay so", "total[silent] = scores[silent]", "pass"),
        ("items of the history count for places", "others[[0, *history]] = False", "others[[0]] = False"),
        ("items that are added later were seen", "self.seen = np.pad(self.seen, (0, len(table.items) - 1))", "self.seen = np.pad(self.seen, (0, len(table.items) - 1), constant_values=True)"),
        ("new items are added to one part", "for part in self.parts.values():", "for part in [*self.parts.values()][:1]:"),
    ],
    "baselines/selection": [
        ("the test items choose the weights", 'held_out("valid")', 'held_out("test")'),
        ("the worst part is added", "best_part = int(np.argmax(values))", "best_part = int(np.argmin(values))"),
        ("the last step counts", "if values[best_part] > best:", "if True:"),
        ("all samples are alike", "rng.integers(n, size=n)", "np.arange(n)"),
        ("small shares stay", "weights[weights < LEAST] = 0", "weights[weights < 0] = 0"),
        ("a worse combination is shipped", "if together < max(alone):", "if together < min(alone):"),
        ("items outside the pools are forgotten", "ranks[target <= outside] = POOL + 1", "ranks[target < LOWEST] = POOL + 1"),
        ("items of the history are rivals", "row[history] = False", "row[history] &= True"),
        ("a target is a rival of itself", ".scatter_(1, column, False)", ".scatter_(1, column, True)"),
        ("weights are chosen among new items too", "rivals = ranked.repeat", "rivals = (ranked | True).repeat"),
    ],
    "baselines/simple": [
        ("a new item too many", "self.pairs.shape[0] + len(table.items) - 1)", "self.pairs.shape[0] + len(table.items))"),
        ("rules read the whole history", "super().__init__(after, 0)", "super().__init__(after, 1)"),
        ("new texts change the whitening", "self.seen = np.pad(self.seen, (0, len(table.items) - 1))", "self.seen = np.pad(self.seen, (0, len(table.items) - 1), constant_values=True)"),
    ],
    "pipeline/ensemble": [
        ("an ensemble of another model is used", 'if record["model"] != fingerprint_weights(model):', "if False:"),
        ("a network of another ensemble is used", 'if not same or fingerprint_weights(net) != part["settings"].get("weights"):', "if not same:"),
        ("parts with weight 0 are stored", 'if part["weight"] and name != MAIN', "if name != MAIN"),
        ("all data: the weights are chosen again", "    if chosen:\n", "    if False:\n"),
        ("trained parts have the settings of the model", "model=model), ALONE)", "model=model), {})"),
        ("parts that count are asked for new items", "ScoreEnsemble(parts, weights, MAIN, seen)", "ScoreEnsemble(parts, weights)"),
        ("new items whiten the texts", "TextKNN(table.text, seen, **part", "TextKNN(table.text, seen | True, **part"),
    ],
    "settings": [
        ("limits are ignored", "allowed and (self.type is not float or", "(self.type is not float or"),
        ("NaN is a number", "allowed = allowed and (self.type is not float or math.isfinite(found))", "allowed = allowed or found != found"),
        ("unknown choices pass", "allowed = found in self.choices", "allowed = True"),
    ],
}
# fmt: on
MUTATIONS = [Mutation(module, *rest) for module, rows in BROKEN.items() for rest in rows]
