"""Exercises of notebook 06: the losses of pre-training, false negatives and the training loop."""

# mypy: disable-error-code="misc,call-arg"

from __future__ import annotations

import math

import torch
from torch import Generator

from course.attempts import differentiate
from course.checks import NO_GRADIENTS, Exercise
from course.exercises.losses import (
    cross_modal_loss,
    false_negatives,
    make_cross_modal,
    make_pretraining,
    make_train,
    next_item_loss,
    pretraining_loss,
    raw_lengths,
    train,
    use_pretraining,
    use_train,
    zero_logit,
)
from course.quiz import Question

_H, _Z = 3 * torch.randn(2, 6, 4, generator=Generator().manual_seed(0))
_TARGETS, _USERS = torch.tensor([7, 8, 7, 9, 7, 6]), torch.tensor([1, 1, 2, 3, 1, 3])
_SAME, _ONE = false_negatives(_TARGETS), torch.eye(6, dtype=torch.bool)
_BOTH = false_negatives(_TARGETS, _USERS)
_SAME_TARGET = "rows 0 and 2 have the same next item: mark such pairs, with or without users"

EXERCISES = (
    Exercise(
        name="06.false_negatives",
        solution=false_negatives,
        cases=((_TARGETS,), (_TARGETS, _USERS)),
        otherwise="a pair is still wrong; try targets [7, 8, 7, 9, 7, 6], users [1, 1, 2, 3, 1, 3]",
        why="With a false negative the loss would teach the model that a right answer is wrong.",
        hints=(
            "targets[:, None] == targets compares every row with every row.",
            "Two reasons to mark a pair are joined by | (or). Without users there is one reason.",
        ),
        mistakes=(
            (
                lambda targets, users=None: ~false_negatives(targets, users),
                "you have marked the pairs that may be negatives; True means that they may not",
            ),
            (
                lambda targets, users=None: false_negatives(targets),
                "if users are given, rows of the same user are marked too",
            ),
            (
                lambda targets, users=None: false_negatives(targets) & ~_ONE,
                "each row has the same next item as itself: the diagonal is marked too",
            ),
            (
                lambda t, users=None: _ONE if users is None else users[:, None] == users,
                _SAME_TARGET,
            ),
            (
                lambda t, users=None: (
                    false_negatives(t) & (True if users is None else users[:, None] == users)
                ),
                "either reason is enough to mark a pair: join them by or, not by and",
            ),
            (
                lambda targets, users=None: targets == targets[0],
                "compare every row with every row, not only with the first: the shape is (6, 6)",
            ),
        ),
    ),
    Exercise(
        name="06.next_item_loss",
        solution=next_item_loss,
        cases=((_H, _Z, _ONE, 0.5), (_H, _Z, _SAME, 0.2)),
        use=differentiate,
        otherwise="check one after the other: cosines, division by tau, mask, mean over the rows",
        why="InfoNCE is a classification with the batch as the list of classes. NIP is InfoNCE with"
        " the next items of the other rows as in-batch negatives.",
        hints=(
            "cosine_scores(h, z) / tau has a row of logits for each state; the right answers stand"
            " on the diagonal.",
            "A logit of -torch.inf takes a pair out of the softmax. torch.eye(len(h),"
            " dtype=torch.bool) is the diagonal, which must stay.",
            "F.cross_entropy(logits, torch.arange(len(h))) says that row i should choose column i.",
        ),
        mistakes=(
            (
                lambda h, z, masked, tau: next_item_loss(z, h, masked, tau),
                "in yours an item chooses a sequence; a sequence should choose an item: h first",
            ),
            (raw_lengths, "the lengths of the embeddings must have no effect: use cosine_scores"),
            (
                lambda h, z, masked, tau: next_item_loss(h, z, masked, 1.0),
                "the temperature tau has no effect in yours; cosines are divided by it",
            ),
            (
                lambda h, z, masked, tau: next_item_loss(h, z, _ONE, tau),
                "masked pairs still count as negatives in yours",
            ),
            (
                zero_logit,
                "a logit of 0 does not take a pair out, since e^0 = 1; use -torch.inf",
            ),
            (
                lambda h, z, masked, tau: next_item_loss(h, z, masked, tau) * len(h),
                "this is the sum over the rows; the mean was asked",
            ),
            (lambda h, z, *more: next_item_loss(h.detach(), z, *more), NO_GRADIENTS),
        ),
    ),
    Exercise(
        name="06.cross_modal_loss",
        solution=cross_modal_loss,
        cases=((_H, _Z, _ONE, 0.5), (_H, _Z, _BOTH, 0.2)),
        use=differentiate,
        otherwise="check for each direction: positives, negatives across, negatives within",
        why="CMCL brings the two representations of one history together. Its negatives within a"
        " modality keep the histories of different users apart.",
        hints=(
            "For the text anchors: logits to all images, and beside them logits to all texts:"
            " torch.cat([across, within], dim=1).",
            "Across, the diagonal is the positive and stays. Within, it is the anchor itself and"
            " gets -torch.inf like the masked pairs.",
            "The labels are torch.arange(rows). Exchange text and image for the other direction;"
            " take the mean of both losses.",
        ),
        mistakes=(
            (make_cross_modal(directions=1), "the direction from image to text is missing"),
            (
                make_cross_modal(within=False),
                "negatives within a modality are missing: other texts for a text anchor",
            ),
            (make_cross_modal(mask=False), "masked pairs still count as negatives in yours"),
            (
                make_cross_modal(itself=True),
                "an anchor is no negative of itself: hide the diagonal within a modality",
            ),
            (
                make_cross_modal(rowwise=True),
                "in your second direction the anchors are still the texts; exchange text and image",
            ),
            (
                lambda *given: 2 * cross_modal_loss(*given),
                "this is the sum of both directions; their mean was asked",
            ),
        ),
    ),
    Exercise(
        name="06.collapse",
        solution=math.log(2 * 64 - 1),
        tolerance=1e-3,
        starter="collapse = ...  # a number",
        otherwise="how many candidates does a row choose among, all equally good?",
        why="log 127 = 4.84. A loss that stays at this value says that nothing has been learned:"
        " all embeddings may be equal (representation collapse).",
        hints=(
            "If all embeddings are equal, all candidates of a row are equally likely.",
            "Choosing among n equal candidates costs log n. Count them: the positive, the images"
            " of the other rows, the texts of the other rows.",
        ),
        mistakes=(
            (
                math.log(64),
                "log 64 is the value of NIP; CMCL has negatives within a modality as well",
            ),
            (
                math.log(128),
                "of 2 x 64 embeddings a row meets all but one: it is no negative of itself",
            ),
            (math.log10(127), "the natural logarithm is meant: math.log, not log10"),
            (127.0, "the number of candidates is not yet the loss; its log is"),
        ),
    ),
    Exercise(
        name="06.pretraining_loss",
        solution=pretraining_loss,
        cases=((0,), (3,)),
        use=use_pretraining,
        otherwise="go through the three steps; draw the dropped positions before the swaps",
        why="This is what one step of pre-training minimizes. Mixup changes the sequences only; the"
        " target embeddings are those of the items as they are.",
        hints=(
            "kept = (items != 0) & ~draw_positions(...); then kept[:, 0] = True.",
            "rows, position = targets.nonzero(as_tuple=True) lists all predictions; their states"
            ' are h["text"][rows, last_kept(kept)[rows, position]].',
            "Target embeddings: model.embed(features, targets[rows, position]). The users of the"
            " predictions are their rows.",
        ),
        mistakes=(
            (
                lambda *given: pretraining_loss(*given, mixup_max=0.0),
                "text and image embeddings are never exchanged",
            ),
            (lambda *given: pretraining_loss(*given, drop_max=0.0), "no item is ever dropped"),
            (lambda *given: pretraining_loss(*given, cmcl_weight=0.0), "CMCL is missing"),
            (
                lambda *given: pretraining_loss(*given, cmcl_weight=1.0),
                "CMCL should be multiplied by cmcl_weight",
            ),
            (
                make_pretraining(place=lambda kept: torch.arange(kept.shape[1]).expand(kept.shape)),
                "after item drop the states stand at other places: last_kept says where",
            ),
            (
                make_pretraining(by_target=False),
                "NIP has false negatives in yours: mask rows with the same target",
            ),
            (make_pretraining(by_user=False), "CMCL should also mask pairs of rows of one user"),
        ),
    ),
    Exercise(
        name="06.train",
        solution=train,
        cases=(([[1, 2, 3], [4, 5], [2, 3, 5, 1], [5, 4], [3, 1]], 3, 0.5, 0.1),),
        use=use_train,
        otherwise="compare with the docstring, line by line: the order and its generator, the"
        " batches, the step, the report",
        why="Every network of this course, and nearly every other one, is trained by such a loop.",
        hints=(
            "Per batch: the loss, optimizer.zero_grad(), loss.backward(), clip, optimizer.step().",
            "order.split(batch_size) gives the rows of each batch, and sequences[row] works for"
            " each of them.",
            "nn.utils.clip_grad_norm_(model.parameters(), 5.0) stands between backward and step.",
        ),
        mistakes=(
            (make_train(clear=False), "gradients add up over the steps: set them to zero first"),
            (make_train(step=False), "no weight ever changes: the optimizer takes no step"),
            (make_train(clip=False), "the gradients are not clipped"),
            (make_train(optimizer=torch.optim.SGD), "this optimizer is not Adam"),
            (
                make_train(shuffle=False),
                "the order is the same in every epoch; draw it with torch.randperm",
            ),
            (make_train(modes=0), "the model is never in training mode, so dropout has no effect"),
            (make_train(modes=2), "after an epoch the model must be in evaluation mode"),
            (
                lambda *given: train(*given[:8], 0.0, given[9]),
                "weight_decay has no effect in yours: hand it to Adam",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "The loss of NIP is 4.2 nats with 64 different targets in a batch. What has the model"
        " learned?",
        (
            (
                "nothing yet",
                "A guess among 64 costs log 64, which is about 4.16 nats: all scores may be equal.",
            ),
            (
                "a little: a guess would cost 64 nats",
                "A guess among B candidates costs log B nats, not B.",
            ),
            (
                "much: the loss is close to 0",
                "Close to 0 would mean that the right item gets almost all of the softmax.",
            ),
        ),
    ),
    Question(
        "Two users of a batch have the same next item, and nothing is excluded. What happens?",
        (
            (
                "each is pushed away from a right answer",
                "The other row's item is a false negative. It is also a hard one, so with a small"
                " temperature it pushes strongly.",
            ),
            (
                "nothing: equal items cancel out",
                "Only the diagonal is the positive. The other column counts as a negative.",
            ),
            (
                "their representations become equal",
                "They would have a reason to, but the loss works against it.",
            ),
        ),
    ),
)
