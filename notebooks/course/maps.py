"""Maps of embeddings on a plane (UMAP), and how far such a map can be trusted.

A map keeps neighbours together as well as a plane allows. How well that went is measured here:
*trustworthiness* (Venna & Kaski, 2001) falls when the map puts points side by side that are not
neighbours, *continuity* when it separates neighbours. Needs ``umap-learn`` and
``scikit-learn`` (extra ``course``).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from msm4sr_lite.config import UserError


class Neighbours(NamedTuple):
    """The nearest others of each vector, nearest first.

    Attributes
    ----------
    indices
        Row numbers, ``(count, k)``. No row is its own neighbour.
    distances
        Euclidean, of the same shape.
    """

    indices: np.ndarray
    distances: np.ndarray


def find_neighbours(vectors: np.ndarray, k: int) -> Neighbours:
    """Find the ``k`` nearest others of every vector, exactly.

    Parameters
    ----------
    vectors
        ``(count, width)``. Of unit vectors the nearest are those with the largest cosine.
    k
        From 1 to ``count - 1``.

    Raises
    ------
    UserError
        If there are not enough vectors, or if they are no table of finite numbers.
    """
    from sklearn.neighbors import NearestNeighbors

    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not np.isfinite(vectors).all():
        raise UserError("the vectors must be a table of numbers without NaN and infinity")
    if not 0 < k < len(vectors):
        raise UserError(
            f"the number of neighbours must lie between 1 and {len(vectors) - 1}, one less than"
            f" there are vectors; got {k}"
        )
    distances, indices = NearestNeighbors(n_neighbors=k).fit(vectors).kneighbors()
    return Neighbours(indices, distances)


def knn_graph(vectors: np.ndarray, n_neighbors: int) -> Neighbours:
    """Return the exact neighbours as UMAP counts them: each vector is its own first neighbour."""
    near = find_neighbours(vectors, n_neighbors - 1)
    itself = np.arange(len(near.indices))[:, None]
    return Neighbours(
        np.concatenate([itself, near.indices], axis=1),
        np.concatenate([np.zeros(itself.shape), near.distances], axis=1),
    )


def fit_umap(
    vectors: np.ndarray,
    n_neighbors: int = 15,
    seed: int = 0,
    *,
    min_dist: float = 0.1,
    init: Literal["spectral", "pca", "random"] = "spectral",
) -> np.ndarray:
    """Project vectors on a plane with UMAP.

    The same seed gives the same map on the same machine; another processor rounds differently, and
    its map looks different. Compare the quality of maps, never their coordinates.

    Parameters
    ----------
    vectors
        ``(count, width)``, more than ``n_neighbors``.
    n_neighbors
        Size of a neighbourhood as UMAP counts it, the vector itself included. At least 2.
    seed
        Starts the random part of the search for good places.
    min_dist
        How close together neighbours may lie, from 0 to 1; it only decides the curve of the
        similarity on the map.
    init
        Where the search starts: the eigenvectors of the graph's Laplacian, the first two
        principal components, or random places.

    Returns
    -------
    places
        ``(count, 2)``, in no unit.

    Raises
    ------
    UserError
        If there are not enough vectors.
    """
    if len(vectors) <= max(n_neighbors, 3):  # of three points UMAP makes no map
        raise UserError(
            f"a map with n_neighbors={n_neighbors} needs more than {max(n_neighbors, 3)} vectors;"
            f" got {len(vectors)}"
        )
    graph = tuple(knn_graph(vectors, n_neighbors))
    with warnings.catch_warnings():
        # What cannot be done with such a map does not matter here: to add vectors to it later.
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]|Tensorflow")
        from umap import UMAP

        reducer = UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            init=init,
            precomputed_knn=graph,
            force_approximation_algorithm=True,  # or few vectors are compared all over again
            random_state=seed,
            n_jobs=1,
        )
        return np.asarray(reducer.fit_transform(vectors))


def trustworthiness(vectors: np.ndarray, places: np.ndarray, k: int = 10) -> float:
    """Return how far neighbours on the map are true neighbours, from 0 to 1.

    Every one of the ``k`` nearest on the map that is not among the ``k`` truly nearest costs as
    much as its true rank lies beyond ``k``. A map drawn at random gets about 0.5.

    Parameters
    ----------
    vectors
        ``(count, width)``.
    places
        ``(count, 2)``.
    k
        Less than half of ``count``.
    """
    from sklearn.manifold import trustworthiness as measure

    if not 0 < k < len(vectors) / 2:
        raise UserError(
            f"k must be at least 1 and less than half of the {len(vectors)} vectors; got {k}"
        )
    return float(measure(vectors, places, n_neighbors=k))


def continuity(vectors: np.ndarray, places: np.ndarray, k: int = 10) -> float:
    """Return how far true neighbours are neighbours on the map, from 0 to 1.

    It is the trustworthiness with the two sides exchanged; arguments as there.
    """
    return trustworthiness(places, vectors, k)


def share_kept(truth: Neighbours, on_map: Neighbours) -> np.ndarray:
    """Return for each vector the share of its true neighbours that the map keeps, ``(count,)``.

    Both sides have ``k`` neighbours. A map drawn at random keeps ``k / (count - 1)`` of them.
    """
    if truth.indices.shape != on_map.indices.shape:
        raise UserError(
            "two lists with as many neighbours of as many vectors were expected; got shapes"
            f" {truth.indices.shape} and {on_map.indices.shape}"
        )
    pairs = truth.indices[:, :, None] == on_map.indices[:, None, :]
    return np.asarray(pairs.any(axis=2).mean(axis=1))


def share_label(near: Neighbours, labels: Sequence[object] | np.ndarray) -> np.ndarray:
    """Return for each vector the share of its neighbours that carry its label, ``(count,)``.

    Parameters
    ----------
    near
        Found by :func:`find_neighbours`, among vectors or among places.
    labels
        One for each vector.
    """
    if len(labels) != len(near.indices):
        raise UserError(f"{len(near.indices)} labels were expected; got {len(labels)}")
    known = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    codes = np.array([known[label] for label in labels])
    return np.asarray((codes[near.indices] == codes[:, None]).mean(axis=1))


def count_components(near: Neighbours) -> int:
    """Return the number of connected components of the graph of neighbours.

    The distance between two components on a UMAP means nothing.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    count, k = near.indices.shape
    edges = np.repeat(np.arange(count), k), near.indices.ravel()
    graph = csr_matrix((np.ones(count * k), edges), shape=(count, count))
    return int(connected_components(graph, directed=False)[0])
