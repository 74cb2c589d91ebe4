"""What can go wrong with images.

ImageError
├── UnknownImage       the name is in no catalog and on no engine
└── BuildFailed        a definition could not be turned into an image here
"""


class ImageError(Exception):
    """An image is missing or cannot be made; the text says which and what to do next."""


class UnknownImage(ImageError):
    """The name is neither in the catalog nor on the engine, and no registry gave it."""


class BuildFailed(ImageError):
    """Building a definition stopped; the text holds the last lines the builder printed."""
