"""Exercises of notebook 05: the causal mask, attention, the Transformer and the whole encoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course.attempts import agree, differentiate, drops_like, run_module, vary
from course.checks import Exercise
from course.exercises.encoder import (
    M2SE,
    Block,
    CausalTransformer,
    attend,
    causal_attention,
    causal_mask,
    embed_text_twice,
    embed_without_ids,
    embed_without_substitute,
    encode_joined,
    make_block,
    make_transformer,
    use_m2se,
)
from course.quiz import Question

_GENERATOR = torch.Generator().manual_seed(0)
_QKV = tuple(torch.randn(3, 2, 2, 4, 3, generator=_GENERATOR))  # (batch, heads, time, dim) each
_X = torch.randn(2, 5, 4, generator=_GENERATOR)
_BLOCK, _TRANSFORMER = (4, 2, 8, 0.5), (4, 2, 2, 8, 6, 0.5)
_FUTURE = "a position reads from later positions: use your causal_mask"
_NO_DROPOUT = "dropout is missing somewhere in yours while the model is trained"
_WEIGHTS = "in training, a share dropout of the weights becomes 0: F.dropout(weights, dropout)"
_MAPS, _GATE = 384 * 64 * 8, 384 * 8


def _hides_future(attention):
    query, key, value = (one.clone() for one in _QKV)
    before = attention(query, key, value)
    key[..., 3, :] += 1
    value[..., 3, :] += 1
    return agree(before[..., :3, :], attention(query, key, value)[..., :3, :])


def _drops_weights(attention):
    read = attention(*_QKV[:2], torch.ones_like(_QKV[2]), 0.5)  # position 0 has one weight, 1
    seen = {*read[..., 0, :].flatten().tolist()}
    return seen <= {0.0, 2.0} and agree(read, read[..., :1].expand_as(read))


EXERCISES = (
    Exercise(
        name="05.causal_mask",
        solution=causal_mask,
        cases=((4,),),
        otherwise="position k sees 0, 1, ..., k and nothing else",
        why="This triangle is what makes one pass train every prefix of a sequence.",
        hints=(
            "Row k belongs to the position that looks. Which columns may it see?",
            "torch.ones(n, n, dtype=torch.bool) has a method .tril(), and another, .triu().",
        ),
        mistakes=(
            (
                lambda time: causal_mask(time).tril(-1),
                "a position may look at itself; in yours position 0 sees nothing at all",
            ),
            (
                lambda time: causal_mask(time).T,
                "position 0 sees all the others in yours: rows are who looks, columns at whom",
            ),
            (lambda time: ~causal_mask(time), "this is the opposite: True means that k may look"),
            (lambda time: causal_mask(time).float(), "True and False were expected, not numbers"),
        ),
    ),
    Exercise(
        name="05.causal_attention",
        solution=causal_attention,
        cases=(_QKV,),
        use=differentiate,
        properties=((_hides_future, _FUTURE), (_drops_weights, _WEIGHTS)),
        otherwise="these are not the values, weighted by the softmax of the scores",
        why="Attention chooses from the history what to read, anew for every position, and all"
        " positions at once.",
        hints=(
            "query @ key.transpose(-1, -2) has the scores: a row for each position that looks.",
            "scores.masked_fill(~causal_mask(time), -torch.inf) hides later positions from the"
            " softmax.",
            "F.dropout(weights, dropout), then a matrix product with value.",
        ),
        mistakes=(
            (attend(scale=False), "the scores are not divided by the square root of dim"),
            (attend(mask=lambda n: torch.ones(n, n, dtype=torch.bool)), _FUTURE),
            (attend(mask=lambda n: causal_mask(n).T), _FUTURE),
            (
                attend(after=True),
                "your weights do not sum to 1: hide later positions before the softmax, not after",
            ),
            (
                attend(dim=-2),
                "your softmax runs over the positions that look; it should run over those that"
                " are read",
            ),
            (lambda q, k, v, dropout=0.0: attend()(q, k, v), _WEIGHTS),
        ),
    ),
    Exercise(
        name="05.block",
        solution=Block,
        cases=((_BLOCK, _X),),
        use=run_module,
        properties=((drops_like(Block, _BLOCK, _X), _NO_DROPOUT),),
        otherwise="some step differs; compare the shapes and the order with the docstring",
        why="Two such blocks turn item embeddings into the representation of a history. SASRec and"
        " GPT are made of the same block, with small differences.",
        hints=(
            "qkv(x).view(batch, time, 3, heads, dim // heads) splits queries, keys, values and"
            " heads; permute(2, 0, 3, 1, 4) puts the 3 first and time last but one.",
            "read.transpose(1, 2).reshape(batch, time, dim) joins the heads again.",
            "The probability is self.dropout.p if self.training else 0.0.",
        ),
        mistakes=(
            (make_block(residual=0), "x itself is missing in both sums (residual connections)"),
            (make_block(activation=F.relu), "the activation is F.gelu, not relu"),
            (
                make_block(post_norm=False),
                "you normalize what is added to x; normalize the sum (post-norm)",
            ),
            (make_block(heads=1), "your attention has one head; self.heads says how many"),
            (
                make_block(join=False),
                "your heads are joined in the wrong order: move time in front of the heads before"
                " you reshape",
            ),
            (make_block(), _NO_DROPOUT),
        ),
    ),
    Exercise(
        name="05.transformer",
        solution=CausalTransformer,
        cases=((_TRANSFORMER, _X),),
        use=run_module,
        properties=((drops_like(CausalTransformer, (4, 0, 2, 8, 6, 0.5), _X), _NO_DROPOUT),),
        otherwise="some step differs: positions, norm, dropout, then every block",
        why="One pass gives a state for every position. The state at position k has seen the first"
        " k + 1 items only, so it stands for that prefix.",
        hints=(
            "self.position.weight[: x.shape[1]] holds the embeddings of the positions in use.",
            "self.dropout(self.norm(...)) of the sum, then a loop over self.blocks.",
        ),
        mistakes=(
            (
                make_transformer(positions=lambda weight, time: 0),
                "without position embeddings the order of earlier items has no effect",
            ),
            (
                make_transformer(positions=lambda weight, time: weight[:time].flip(0)),
                "the first item has position 0; yours count from the end",
            ),
            (make_transformer(norm=False), "the norm before the first block is missing"),
            (make_transformer(blocks=1), "only the first block is used"),
            (make_transformer(), _NO_DROPOUT),
        ),
    ),
    Exercise(
        name="05.m2se",
        solution=M2SE,
        cases=tuple((torch.tensor([[1, 2, 3, 1], [5, 4, 0, 0]]), n) for n in (0, 5)),
        use=use_m2se,
        otherwise="compare embed with its docstring: pool, adapt, one modality for both, IDs",
        why="This is the whole encoder. Its parameters have the names of the library's, so it can"
        " load the library's weights.",
        hints=(
            "embed: distinct, row = items.unique(return_inverse=True) makes one list of the items;"
            " at the end, z[row] brings back their shape.",
            "For each modality: slots, valid = features[modality]. Then"
            " self.pool[modality](slots[distinct], valid[distinct]) gives embeddings and weights,"
            " and self.adapt[modality] maps the embeddings to the width d.",
            "valid.any(dim=1, keepdim=True) says which items have the modality; torch.where takes"
            " the other embedding where it has not, but the other has.",
            "forward: self.transformer of z_t and of z_v.",
        ),
        mistakes=(
            (vary(M2SE, embed=embed_without_ids), "the ID embeddings have no effect in yours"),
            (
                vary(M2SE, embed=embed_without_substitute),
                "an item without images should use its text embedding for both, and the reverse",
            ),
            (
                vary(M2SE, embed=embed_text_twice),
                "z_v should come from the slots of the images, not of the texts",
            ),
            (
                vary(M2SE, forward=lambda self, z: z),
                "the embeddings do not go through the Transformer",
            ),
            (
                vary(M2SE, forward=encode_joined),
                "the two sequences are joined along time; each modality is a sequence of its own",
            ),
        ),
    ),
    Exercise(
        name="05.parameters",
        solution=201_216,
        starter="parameters = ...  # D = 384, d = 64, 8 experts",
        otherwise="count the maps, the biases, the layer norms and the gate",
        why="Two adaptors of this size hold most of the model. There it learns to read BERT's"
        " embeddings in terms of the dataset.",
        hints=(
            "Count for one expert: a matrix D x d, a bias of d, a layer norm with scale and shift.",
            "Eight experts, and a gate that maps D numbers to 8, without a bias.",
        ),
        mistakes=(
            (_MAPS, "these are the weights of the eight maps alone; what else is there?"),
            (
                _MAPS + 64 * 8 + _GATE,
                "you have the eight maps and the gate; a layer norm has two numbers for each of"
                " its d",
            ),
            (
                _MAPS + 64 * 8 + 2 * 64 * 8,
                "you have the eight experts; the gate reads D numbers and gives one for each",
            ),
            (
                _MAPS + 64 * 8 + 2 * 64 + _GATE,
                "you count one layer norm; every expert has a layer norm",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "A history of 10 items goes through the encoder. Then an 11th item is appended. What"
        " happens to the first 10 hidden states?",
        options=(
            (
                "They stay the same",
                "The causal mask hides the 11th item from them. That is why one pass trains every"
                " prefix.",
            ),
            (
                "All of them change, the last ones most",
                "That would be so without the mask, as in BERT. Here position k sees items 1 to k.",
            ),
            (
                "They change a little, because the softmax has one more term",
                "The masked scores are minus infinity before the softmax, so the new term is 0.",
            ),
        ),
    ),
    Question(
        "In the last layer, item 3 has the largest attention weight at the last position. What"
        " follows?",
        options=(
            (
                "Its value has the largest weight in the sum that this layer adds",
                "How much h depends on the item is another question. Remove the item and measure"
                " the change.",
            ),
            (
                "Item 3 is the reason for the recommendation",
                "The notebook measured it: the item with the largest weight was seldom the one"
                " whose removal changed h most.",
            ),
            (
                "The last item has no influence",
                "The residual connection carries the last item's own state past the attention.",
            ),
        ),
    ),
)
