"""Named ways to break the code, each a replacement of one piece of source text.

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
                f" {source.count(self.old)} times; bring tests/mutate.py up to date: {self.old!r}"
            )
        return source.replace(self.old, self.new)


# Where an expression is replaced by another of the same shape, only its value can give it away.
BROKEN: dict[str, list[tuple[str, str, str]]] = {
    "mixup": [
        (
            "the text sequence is not mixed",
            "return torch.where(bit, image, text), torch",
            "return text, torch",
        ),
        (
            "the image sequence is not mixed",
            "image, text), torch.where(bit, text, image)",
            "image, text), image",
        ),
        (
            "vectors are blended, not exchanged",
            "return torch.where(bit, image, text), torch.where(bit, text, image)",
            "return text + bit * (image - text) / 2, image + bit * (text - image) / 2",
        ),
        ("whole sequences change places", "return (lottery < p)", "return (lottery[:, :1] < p)"),
        (
            "padding changes places",
            "(lottery < p).to(items.device) & (items != 0)",
            "(lottery < p).to(items.device) | (items == 0)",
        ),
        ("the upper limit of a share is ignored", "(share * limit)", "share"),
        ("batch and sequence are confused", 'if per == "sequence"', 'if per == "batch"'),
        ("fixed and drawn shares are confused", "if fixed else", "if not fixed else"),
        (
            "no item is protected from dropping",
            "survives[torch.arange(len(items)), kept] = True",
            "survives[torch.arange(len(items)), kept] |= False",
        ),
        (
            "always the first item is protected",
            'kept = 0 if keep == "first" else (items != 0).sum(dim=1) - 1',
            "kept = 0",
        ),
        ("padding survives", "return survives & (items != 0)", "return survives"),
        ("a state is read one place late", "cumsum(dim=1) - 1", "cumsum(dim=1)"),
        (
            "gaps stay open",
            "(items * survives).gather(1, order)",
            "items * survives",
        ),
    ],
    "encoder": [
        ("dropout keeps what it should drop", ".ge_(self.p)", ".lt_(self.p)"),
        ("dropout goes on outside training", "if not self.training or not", "if not"),
        ("what dropout keeps is not made larger", ".div_(1 - self.p)", ""),
        (
            "dropout on features never happens",
            "self.feature_dropout(self._pooled(view, slots, items))",
            "self._pooled(view, slots, items)",
        ),
        ("slot padding is never masked", "if not self.mask_padding:", "if True:"),
        ("slot padding is always masked", "if not self.mask_padding:", "if False:"),
        (
            "slot weights do not train",
            "weights = energy.softmax(dim=-1) * valid",
            "weights = energy.softmax(dim=-1).detach() * valid",
        ),
        (
            "slot weights are shares over items",
            "weights = energy.softmax(dim=-1) * valid",
            "weights = energy.softmax(dim=0) * valid",
        ),
        (
            "items without slots have weights",
            "weights = energy.softmax(dim=-1) * valid",
            "weights = energy.softmax(dim=-1)",
        ),
        (
            "a non-linearity in the slot attention",
            "self.outer(self.inner(slots))",
            "self.outer(self.inner(slots).tanh())",
        ),
        (
            "in training the slot attention has no first map",
            "(self.outer.weight @ self.inner.weight).squeeze(0)",
            "self.inner.weight.sum(dim=0)",
        ),
        (
            "a state asked for alone sees the future",
            "<= at.unsqueeze(2)).unsqueeze(1)",
            ">= 0 * at.unsqueeze(2)).unsqueeze(1)",
        ),
        (
            "the last layer answers for the first places",
            "x, query = x[rows, at],",
            "x, query = x[:, : at.shape[1]],",
        ),
        (
            "parts of the catalogue change places",
            "pool(view, slots, part) for part in parts",
            "pool(view, slots, part) for part in parts[::-1]",
        ),
        (
            "unit vectors of one view",
            "for vectors in views.values()], dim=-1)",
            "for vectors in list(views.values())[:1]], dim=-1)",
        ),
        (
            "the mean counts empty slots",
            "valid.sum(dim=1, keepdim=True).clamp_min(1)",
            "valid.shape[1]",
        ),
        ("gates are shares over items", "self.gate(x).softmax(dim=-1)", "self.gate(x).softmax(0)"),
        ("gates do not sum to one", "self.gate(x).softmax(dim=-1)", "self.gate(x).sigmoid()"),
        (
            "gates do not start equal",
            "nn.init.zeros_(self.gate.weight)",
            "nn.init.normal_(self.gate.weight)",
        ),
        (
            "experts own every E-th column",
            ".unflatten(-1, (self.experts, self.dim))",
            ".unflatten(-1, (self.dim, self.experts)).transpose(1, 2)",
        ),
        (
            "experts are not normalised",
            "F.layer_norm(outputs, (self.dim,), eps=NORM_EPS) * self.scale",
            "outputs * self.scale",
        ),
        ("the future is visible", "is_causal=past is None", "is_causal=False"),
        (
            "heads own every h-th column of query, key and value",
            "part.unflatten(-1, (self.heads, -1)).transpose(1, 2)",
            "part.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2)",
        ),
        ("query and key change places", "query, key, value = (", "key, query, value = ("),
        (
            "no residual around attention",
            "self.norm_attention(x + self.dropout(attended))",
            "self.norm_attention(self.dropout(attended))",
        ),
        ("GELU is approximated", "F.gelu(self.up(x))", 'F.gelu(self.up(x), approximate="tanh")'),
        (
            "attention dropout stays on in evaluation",
            "dropout = self.attention_dropout * self.training",
            "dropout = self.attention_dropout",
        ),
        ("positions are missing", "self.norm(x + self.position(places))", "self.norm(x)"),
        ("positions count from the end", "device=x.device)", "device=x.device).flip(0)"),
        (
            "both views use one adapter",
            "vectors[view] = self.adapt[view](",
            "vectors[view] = self.adapt[self.views[0]](",
        ),
        (
            "both views read the text",
            "slots = getattr(table, view)",
            "slots = table.text",
        ),
        (
            "an item without text is empty in the text view",
            'torch.where(present["text"] | ~present["image"], text, image)',
            "text",
        ),
        (
            "states of the views are confused",
            "dict(zip(self.views, states",
            "dict(zip(self.views[::-1], states",
        ),
        (
            "ids are added to one view",
            "{view: z + ids for view, z",
            "{view: z + ids * (view == 'text') for view, z",
        ),
        (
            "item vectors are not normalised",
            "unit(items).T",
            "items.float().T",
        ),
        (
            "states are not normalised",
            "unit(states) @",
            "states.float() @",
        ),
        (
            "cosines are rounded to half precision under autocast",
            "with torch.autocast(states.device.type, enabled=False):",
            "if True:",
        ),
        ("the score is one view's", "for view in states])", "for view in list(states)[:1]])"),
        (
            "nothing is transferred",
            "model.load_state_dict(pretrained.state_dict(), strict=False)",
            "pretrained.state_dict()",
        ),
        (
            "the slot attention trains although it should not",
            "self.pool.requires_grad_(c.train_pooling)",
            "self.pool.requires_grad_(True)",
        ),
    ],
    "losses": [
        (
            "rows with the same target stay negatives",
            "blocked = targets[:, None] == targets[None, :]",
            "blocked = torch.eye(len(targets), dtype=torch.bool, device=targets.device)",
        ),
        ("rows of one customer always stay negatives", "if same_user:", "if False:"),
        ("rows of one customer are never negatives", "if same_user:", "if True:"),
        (
            "NIP multiplies by the temperature",
            "sequence.unsqueeze(0)) / temperature",
            "sequence.unsqueeze(0)) * temperature",
        ),
        (
            "NIP chooses among sequences, not items",
            "_OwnColumn.apply(states, goals,",
            "_OwnColumn.apply(goals, states,",
        ),
        (
            "NIP leaves the positive out of the denominator",
            "blocked.clone().fill_diagonal_(False)",
            "blocked.clone()",
        ),
        (
            "NIP averages several states instead of adding them",
            "own.logsumexp(dim=0)",
            "own.mean(dim=0)",
        ),
        (
            "NIP: blocked pairs are negatives",
            "len(states), blocked, blocked_logit",
            "len(states), blocked & False, blocked_logit",
        ),
        (
            "NIP: blocked pairs are always left out",
            "len(states), blocked, blocked_logit",
            "len(states), blocked, EXCLUDED",
        ),
        (
            "what the logit of blocked pairs replaces learns all the same",
            "if blocked_logit != EXCLUDED:",
            "if False:",
        ),
        (
            "rows of a later block are barred from what the first are",
            "others[rows], blocked_logit",
            "others[: len(a[0, rows])], blocked_logit",
        ),
        (
            "the losses add rows up",
            "- upper).sum() / count",
            "- upper).sum()",
        ),
        (
            "rows of a later block look for themselves in the first columns",
            "own = scores[:positives].diagonal(first, 1, 2)",
            "own = scores[:positives].diagonal(0, 1, 2)",
        ),
        (
            "the right answer draws nothing nearer",
            "diagonal(first, 1, 2).sub_((own - upper).exp())",
            "diagonal(first, 1, 2).sub_(0)",
        ),
        ("only the last rows move the targets", "grad_b += share.mT", "grad_b = share.mT"),
        (
            "CMCL: a row is a negative of itself",
            "scores[positives:].diagonal(first, 1, 2).fill_(EXCLUDED)",
            "scores[positives:].diagonal(first, 1, 2)",
        ),
        (
            "CMCL has no negatives within a view",
            "scores[positives:].diagonal(first, 1, 2).fill_(EXCLUDED)",
            "scores[positives:].fill_(EXCLUDED)",
        ),
        (
            "the positives have no negatives beside them",
            "own = scores[:positives].diagonal(first, 1, 2)",
            "scores[:positives] += torch.eye(count).log()[rows]; "
            "own = scores[:positives].diagonal(first, 1, 2)",
        ),
        (
            "CMCL: blocked pairs are negatives",
            "1, blocked, blocked_logit)",
            "1, blocked & False, blocked_logit)",
        ),
        (
            "CMCL: blocked pairs are always left out",
            "1, blocked, blocked_logit)",
            "1, blocked, EXCLUDED)",
        ),
        (
            "CMCL is always row-wise",
            '(v, t) if form == "symmetric" else (t, v)',
            "(t, v)",
        ),
        (
            "CMCL compares texts within both views",
            "[across, (v, v)]",
            "[across, (t, t)]",
        ),
        (
            "CMCL forgets the temperature",
            "_OwnColumn.apply(first / temperature,",
            "_OwnColumn.apply(first,",
        ),
        (
            "CMCL adds the directions up",
            "torch.stack(both).mean()",
            "torch.stack(both).sum()",
        ),
        (
            "fine-tuning forgets the temperature",
            "scores.float() / temperature",
            "scores.float()",
        ),
        (
            "blocks of the catalogue count alike",
            "torch.stack(blocks).logsumexp(dim=0) - own",
            "torch.stack(blocks).mean(dim=0) - own",
        ),
        (
            "blocks forget the temperature",
            "(states @ part.T / temperature)",
            "(states @ part.T)",
        ),
        (
            "drawn items are not corrected",
            "states @ drawn.T / temperature - log_count",
            "states @ drawn.T / temperature",
        ),
        ("a drawn target counts twice", ".masked_fill(hit, EXCLUDED)", ""),
    ],
    "evaluation": [
        ("ties count for the model", "scores >= own.nan_to_num", "scores > own.nan_to_num"),
        ("padding competes", "        better[:, 0] = False  # padding\n", ""),
        ("history is always hidden", "if mask_history:", "if True:"),
        ("the target ranks behind itself", "        better.scatter_(1, target, False)\n", ""),
        ("a score that is no number wins", "better |= own.isnan()", "better |= own.isinf()"),
        ("candidates are ignored", "better &= allowed", "better &= True"),
        (
            "a customer's share is ranked once more",
            "start += len(batch)",
            "start += len(batch) - 1",
        ),
        (
            "quick scores end one item early",
            "history), longest) - 1 for",
            "history), longest) - 2 for",
        ),
        ("NDCG uses the natural logarithm", "np.log2(ranks + 1)", "np.log(ranks + 1)"),
        ("NDCG discounts from the first place on", "np.log2(ranks + 1)", "np.log2(ranks + 2)"),
        ("the place K itself is no hit", "(ranks <= k)", "(ranks < k)"),
        ("MRR counts places from zero", "hit / ranks", "hit / (ranks + 1)"),
        (
            "the state after the padding is used",
            "[min(len(h), items.shape[1]) - 1 for h in histories]",
            "[items.shape[1] - 1 for h in histories]",
        ),
        ("scores are averaged over views", ".values())).sum(dim=0)", ".values())).mean(dim=0)"),
        (
            "candidates have no ids",
            "self.items = model.with_ids(self._content(table, numbers), numbers)",
            "self.items = self._content(table, numbers)",
        ),
        ("the interval is a 90 % interval", "[0.025, 0.975]", "[0.05, 0.95]"),
        ("a customer's cases are so many customers", "if customers is not None:", "if False:"),
    ],
    "sequences": [
        ("padding cuts the newest items", "s[-max_len:]", "s[:max_len]"),
        (
            "padding stands on the left",
            "out[row, : len(sequence)] = sequence",
            "out[row, width - len(sequence) :] = sequence",
        ),
        (
            "training sees the validation item",
            "self.of(user)[:end]",
            "self.of(user)[: end + 1]",
        ),
        (
            "validation and test change places",
            'self.bounds()[:2] if part == "valid"',
            'self.bounds()[:2] if part == "test"',
        ),
        (
            "a history lacks its newest item",
            "self.events[end - n : end]",
            "self.events[end - n : end - 1]",
        ),
        (
            "a split by date tests before the date",
            "codes[times < date]",
            "codes[times >= date]",
        ),
        (
            "a customer's later tests are forgotten",
            "config.n_test + 1, config.n_test]",
            "config.n_test + 1, 1]",
        ),
        (
            "targets are the inputs",
            "targets = pad([window[1:]",
            "targets = pad([window[:-1]",
        ),
        (
            "a prefix predicts all of its items",
            "targets * (torch.arange(items.shape[1]) == last)",
            "targets",
        ),
        ("anchors are always the first ones", "(1 + torch.rand(", "(1 + 0 * torch.rand("),
        ("all targets stay anchors", "targets = targets * kept", "targets = targets * 1"),
        ("two processes own a row", "count * (r + 1) // world)", "count * (r + 1) // world + r)"),
        ("the first of repeated purchases stays", 'keep="last")', 'keep="first")'),
        ("filters run once", "table = table[keep]\n", "table = table[keep]\n        break\n"),
    ],
    "objectives": [
        (
            "dropping does not move the states",
            "wanted = state[rows[own], position[own]]",
            "wanted = position[own]",
        ),
        ("mixup has no effect", '("text", "image"), mixed', '("text", "image"), views.values()'),
        (
            "the image view predicts texts",
            "goal[view], nip_blocked",
            "goal[model.views[0]], nip_blocked",
        ),
        ("lambda is forgotten", "config.cmcl_weight * parts", "parts"),
        ("the weight of NIP is forgotten", "config.nip_weight * torch", "torch"),
        ("CMCL uses the negatives of NIP", "text, image, cmcl_blocked", "text, image, nip_blocked"),
        ("projections are not used for NIP", "_loss(states[view]", "_loss(hidden[view]"),
        (
            "fine-tuning feeds no ids",
            "return take(vectors, place[inputs[group, :time]])",
            "return take(model.item_vectors(table, items), place[inputs[group, :time]])",
        ),
        ("padding is always a class", "0 if config.pad_class else 1", "0"),
        (
            "the class of an item is its neighbour's",
            "z[first:], place[target] - first",
            "z[first:], place[target]",
        ),
        ("states of a group are mixed up", "column[own]] for view", "column[own] * 0] for view"),
        ("a group is trimmed too far", "int(lengths[group].max())", "int(lengths[group].min())"),
        (
            "items that are never bought compete all the same",
            'config.candidates == "seen"',
            'config.candidates == "never"',
        ),
        (
            "items are drawn alike",
            "if popularity is None else popularity",
            "if True else popularity",
        ),
    ],
    "training": [
        ("patience ends one epoch early", "run.waited <= config", "run.waited < config"),
        ("a tie is no improvement", "recall >= self.recall", "recall > self.recall"),
        ("the last weights are kept, not the best", "model.load_state_dict(run.best)", "run.best"),
        (
            "the best weights go on changing",
            "self.recall, self.best = recall, copy.deepcopy(self.model.state_dict())",
            "self.recall, self.best = recall, self.model.state_dict()",
        ),
        (
            "a resumed training draws other masks",
            "dice.manual_seed(_seed(seed, 1, run.step))",
            "dice.seed()",
        ),
        (
            "a resumed epoch begins again",
            "islice(batches, run.done, None)",
            "islice(batches, None)",
        ),
        ("a broken gradient is used", "[total, *each, length]).all()", "[total, *each]).all()"),
        ("the test items choose the weights", 'held_out("valid")', 'held_out("test")'),
    ],
    "explain/evidence": [
        (
            "the sign of an effect",
            "(rows[:1] - rows[1:]).T.tolist()",
            "(rows[1:] - rows[:1]).T.tolist()",
        ),
        (
            "a purchase left out stays",
            "sequences.append([*whole[:i], *instead, *whole[i + 1 :]])",
            "sequences.append([*whole[:i], *(instead or whole[i : i + 1]), *whole[i + 1 :]])",
        ),
        (
            "a slot left out stays",
            "            del own[slot]\n",
            "            pass\n",
        ),
        (
            "a word's reading replaces the slot beside it",
            "instead[len(rows) + slot] = vector",
            "instead[len(rows)] = vector",
        ),
        (
            "an item without a view does not show the other",
            "both = not int(getattr(self.table, _OTHER[view]).counts[item])",
            "both = False",
        ),
        (
            "every view is thought to be touched by the view of the other",
            "return self.both or (self.view == view) != swapped",
            "return self.both or (self.view != view) != swapped",
        ),
        (
            "exchanged purchases are read as they are",
            '            pool = {"text": text[0], "image": image[0]}\n',
            "",
        ),
        (
            "of a long basket the oldest are read",
            "cut = [sequence[-self.model.config.max_len :] for sequence in sequences]",
            "cut = [sequence[: self.model.config.max_len] for sequence in sequences]",
        ),
        (
            "ids are forgotten",
            "vectors = self.model.with_ids(self.model.item_vectors(thin, rows), numbers)",
            "vectors = self.model.item_vectors(thin, rows)",
        ),
        (
            "attention of the wrong slot",
            "yield _Change(item, view, slot, kind, part, text, weights[slot], both)",
            "yield _Change(item, view, slot, kind, part, text, weights[-1 - slot], both)",
        ),
        (
            "the weakest first",
            "key=lambda piece: -piece.effect))",
            "key=lambda piece: piece.effect))",
        ),
        (
            "what speaks against an item is a reason",
            "if p.kind == kind and p.effect > least]",
            "if p.kind == kind]",
        ),
    ],
    "explain/keywords": [
        ("a word too many is left out", "*words[k + 1 :]] for", "*words[k + 2 :]] for"),
        (
            "another picture loses the word",
            "torch.arange(count), picture]",
            "torch.arange(count), 0]",
        ),
        ("likeness, not the move", "return 1 - F.cosine_similarity", "return F.cosine_similarity"),
    ],
    "explain/rereading": [
        (
            "the whole sentence counts as a word",
            "without_each(words)[1:]",
            "without_each(words)[:-1]",
        ),
        ("single words are read again", "if len(words) > 1", "if len(words) > 0"),
        (
            "other weights are taken",
            'if made.get("weights") not in (None, weight_hash(encoder.model)):',
            'if made.get("weights") == weight_hash(encoder.model):',
        ),
    ],
    "study/whole_dataset": [
        (
            "customers compared on are learnt from to the end",
            "own = own[: ends.get(user, len(own))]",
            "own = own[: len(own)]",
        ),
        (
            "the first that is held out is learnt from",
            "ends[user] = int(places[len(trained)])",
            "ends[user] = int(places[len(trained)]) + 1",
        ),
        (
            "places are counted in the core",
            "ends[user] = int(places[len(trained)])",
            "ends[user] = len(trained)",
        ),
        ("a split by date holds for some", 'if config.split == "time" else', "if False else"),
        ("cold items are learnt from", 'own.loc[~own["cold"], "number"]', 'own["number"]'),
        (
            "what validates is learnt from",
            "cuts.append((len(learnt), len(rows[-1])))",
            "cuts.append((len(rows[-1]), len(rows[-1])))",
        ),
        (
            "nothing validates",
            "rows.append([*learnt, *validating[user]])",
            "rows.append([*learnt])",
        ),
    ],
    "study/paired": [
        (
            "seeds do not widen the interval",
            'value - math.hypot(value - own["low"], spread)',
            'own["low"]',
        ),
        ("the interval of seeds is a normal one", "stats.t.ppf(0.975, len(seeds) - 1)", "HALF"),
        (
            "differences are not paired",
            "values[name] - others[name]",
            "values[name] - others[name].mean()",
        ),
        ("each case is another customer's", "each.items()}, customers)", "each.items()}, None)"),
        ("p is one-sided", "float(2 * stats.norm.sf", "float(stats.norm.sf"),
        ("no power in the detectable difference", "error * (HALF + POWER)", "error * HALF"),
        ("Holm is Bonferroni", "np.arange(len(p), 0, -1)", "len(p)"),
        (
            "Holm's steps may fall",
            "np.maximum.accumulate(stepped).clip(max=1)",
            "stepped.clip(max=1)",
        ),
    ],
    "study/baselines": [
        ("the oldest purchase weighs most", "np.arange(len(h))[::-1]", "np.arange(len(h))"),
        ("an item is its own neighbour", "        together.setdiag(0)\n", ""),
        (
            "repeated purchases count again",
            "        bought.data[:] = 1  # a repeated purchase counts once\n",
            "",
        ),
        (
            "rules look back, not ahead",
            "[np.stack([s[:-step], s[step:]])",
            "[np.stack([s[step:], s[:-step]])",
        ),
        ("rules do not fade", "decay ** (step - 1)", "1.0"),
        ("rules follow the oldest item", "[h[-1] for h in histories]", "[h[0] for h in histories]"),
        ("the weight of the second scorer is ignored", "one + self.weight * two", "one + two"),
    ],
    "study/cold_start": [
        (
            "validation items count as never seen",
            'histories, _ = sequences.held_out("test")\n    seen',
            'histories, _ = sequences.held_out("valid")\n    seen',
        ),
        (
            "cold items compete with all",
            "targets[rows], candidates=cold)",
            "targets[rows])",
        ),
        (
            "replaced ids stay",
            "change[learnt] = -weight[learnt]",
            "change[learnt] = 0 * weight[learnt]",
        ),
        (
            "test items of drawn items go too",
            "    keep[sequences.offsets[1:] - 1] = True  # the test items\n",
            "",
        ),
    ],
    "study/protocol": [
        (
            "filters are applied one after the other",
            "enough &= items.map(items.value_counts())",
            "enough &= items.map(items[enough].value_counts())",
        ),
        (
            "the hidden purchase stays",
            "others.append(np.delete(bought, place))",
            "others.append(bought)",
        ),
        ("a rank is one too low", "ranks[:, None] - 1, drawn", "ranks[:, None], drawn"),
        ("competitors the customer has bought", "{*h.tolist(), int(t)}", "{int(t)}"),
    ],
    "study/transfer": [
        ("joined shops forget what is held out", "offsets, cuts),", "offsets),"),
        ("joined shops share their item numbers", "own.events + shift", "own.events"),
        (
            "a share of the customers forgets what is held out",
            "sequences.bounds()[:2, chosen].T,",
            "",
        ),
        ("all seeds draw the same customers", "default_rng(seed).perm", "default_rng(0).perm"),
        ("a model with ids is used in another shop", "if model.ids is not None:", "if False:"),
        ("the first settings are kept", "if recall > best:", "if best < 0:"),
        (
            "only customers that trained are tested",
            '*sequences.held_out("test"), mask_history=mask_history',
            '*some.held_out("test"), mask_history=mask_history',
        ),
    ],
    "study/transfer_curve": [
        (
            "purchases are taken for customers",
            '_told([one["zero shot"] for one in each], whose)',
            '_told([one["zero shot"] for one in each], None)',
        ),
        (
            "large shares try the rates of small ones",
            "share < self.large else self.rates_large",
            "share <= 1 else self.rates_large",
        ),
        ("a share has the steps of the whole", "share * sequences.training", "sequences.training"),
        (
            "both starts are pre-trained",
            'if start == "pretrained" else None',
            'if start != "own" else None',
        ),
        (
            "fine-tuning forgets the device",
            "configs, seed=seed, device=self.device",
            "configs, seed=seed",
        ),
    ],
}
MUTATIONS = [Mutation(module, *rest) for module, rows in BROKEN.items() for rest in rows]
