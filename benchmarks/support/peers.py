"""Pillow's codecs at the file size of one of ours."""

from PIL import Image

from neural_collage.evaluation.peers import PEERS, PillowCodec


def peers_at(picture: Image.Image, file_bytes: int) -> list[tuple[PillowCodec, float]]:
    """Pillow's JPEG and JPEG 2000, each with the quality that gives files of about `file_bytes`."""
    jpeg, jpeg2000 = PEERS["jpeg"], PEERS["jpeg2000"]
    large_enough = (q for q in range(1, 101) if len(jpeg.encode(picture, q)) >= file_bytes)
    return [
        (jpeg, next(large_enough, 100)),
        (jpeg2000, 8 * file_bytes / (picture.width * picture.height)),
    ]
