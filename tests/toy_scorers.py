"""Scores that are given."""

import torch


class Fixed:
    """Scores that were given, a row per user; the history's first item is the user's number."""

    def __init__(self, rows):
        self.rows, self.asked = torch.as_tensor(rows), []

    def score(self, histories):
        self.asked.append(len(histories))
        return self.rows[[int(history[0]) - 1 for history in histories]].clone()
