"""The tokenizer that a small CLIP is trained with."""

from msm4sr_lite.features.clip.model import make_tokenizer

WORDS = ("mug", "sleeping bag", "striped", "blue")


def test_tokenizer_is_the_same_every_time() -> None:
    one, two = (make_tokenizer(WORDS).backend_tokenizer.to_str() for _ in range(2))
    assert one == two


def test_tokenizer_reads_anything() -> None:
    tokenizer = make_tokenizer(WORDS)
    for text in ("a tall striped mug", "xylophone 42", "Übergröße: schön!", "日本 🙂"):
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.eos_token_id) == 1  # unknown signs would read as the end
        assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(tokenizer("sleeping bag")["input_ids"][1:-1]) == "sleeping bag"
    long = tokenizer(" ".join(["striped"] * 100), truncation=True)["input_ids"]
    assert len(long) == 32
    assert all(len(tokenizer(word)["input_ids"]) <= 4 for word in WORDS)
