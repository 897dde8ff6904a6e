"""The questions at the end of notebooks 02 and 03."""

from course.quiz import Question

KEYWORDS = (
    Question(
        "You double N, the number of keywords per image. What happens?",
        (
            (
                "Precision can only fall or stay, since the true words come first",
                "Only on average, and only if CLIP ranks well. A true word may well come late.",
            ),
            (
                "Recall can't fall; precision usually does",
                "The words of the smaller N are still there, so nothing that was found is lost."
                " Most of the new ones are less certain.",
            ),
            (
                "Both rise, because the image is described in more detail",
                "More words also means more wrong ones: there are only so many true words.",
            ),
        ),
        right=1,
    ),
    Question(
        "The best keyword of a photograph has the cosine 0.65. What do you know?",
        (
            (
                "The word fits the image better than all other words of the dictionary",
                "A cosine ranks the words of one dictionary for one image. It is no probability.",
            ),
            (
                "The word is true with a probability of about 65 %",
                "On our photographs wrong first words had almost as high scores as true ones.",
            ),
            (
                "The image is recognised better than another one whose best word has 0.35",
                "Scores of different images, and even more of different CLIPs, have other scales.",
            ),
        ),
    ),
)

FEATURES = (
    Question(
        "After training, neighbours by text seldom share the kind of product. Why?",
        (
            (
                "The images tell the kind already, so the text may forget it",
                "Then one of the two would keep it. But the image embeddings lose the kind, too.",
            ),
            (
                "Interactions don't depend on the kind, so nothing in the loss keeps it",
                "The generator chooses items by purpose, look and popularity. An embedding keeps"
                " what helps to predict them.",
            ),
            (
                "Mean pooling has mixed the sentences",
                "Before training, the means of the same sentences always share the kind.",
            ),
        ),
        right=1,
    ),
    Question(
        "A linear map makes the modality gap 0. Can texts now find images with their purpose?",
        (
            (
                "Yes, both modalities are now in one space",
                "They lie in one region. But the images of this shop don't show purposes at all.",
            ),
            (
                "No: a shift of one cloud adds no knowledge to it",
                "The gap is one vector, the same for all items. What distinguishes the items"
                " stays as it was.",
            ),
            (
                "Only if the embeddings are whitened first",
                "Whitening is linear too. It scales directions; it can't add what is missing.",
            ),
        ),
        right=1,
    ),
)
