"""Results: files in all formats, scenes and their tiles, art, restoration, drawings, movies."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

import neural_collage as nc
from tests.web.visitor import Server, Visitor, error_of, photo, png


def test_compressed_files_are_what_the_page_says(visitor: Visitor) -> None:
    image = photo(128)
    data = png(image)
    picture = visitor.open(data, "photo.png").json()["id"]
    result = visitor.made("encode", picture, quality=60)
    file = visitor.get(f"/api/results/{result['id']}/file")
    assert "photo-q60.clg" in file.headers["content-disposition"]
    assert len(file.content) == result["bytes"]
    assert result["saved"] == pytest.approx(1 - len(file.content) / len(data))
    assert result["bpp"] == pytest.approx(8 * len(file.content) / 128**2)
    shown = visitor.pixels(f"/api/results/{result['id']}/image")
    decoded = np.asarray(nc.CollageImage.from_bytes(file.content).to_pil())
    np.testing.assert_array_equal(shown, decoded)
    mean = np.square(decoded.astype(float) - np.asarray(image)).mean()
    assert result["psnr"] == pytest.approx(10 * np.log10(255**2 / mean))


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif", "jxl"])
def test_other_formats_have_at_most_the_bytes_of_ours(visitor: Visitor, form: str) -> None:
    formats = [each["id"] for each in visitor.get("/api/about").json()["formats"]]
    if form not in formats:
        pytest.skip(f"{form} cannot be written here")
    if form == "jxl":
        import pillow_jxl  # noqa: F401
    picture = visitor.picture()
    own = visitor.made("encode", picture, quality=80)
    result = visitor.made("encode", picture, format=form, size=own["bytes"])
    data = visitor.get(f"/api/results/{result['id']}/file").content
    assert len(data) == result["bytes"] <= own["bytes"]
    np.testing.assert_array_equal(
        visitor.pixels(f"/api/results/{result['id']}/image"),
        np.asarray(Image.open(io.BytesIO(data))),
    )
    assert result["psnr"] > 20


def test_targets_are_met(visitor: Visitor) -> None:
    picture = visitor.picture()
    assert visitor.made("encode", picture, size=2000)["bytes"] <= 2000
    assert visitor.made("encode", picture, psnr=38)["psnr"] >= 37.9
    kind, content = visitor.end_of(visitor.start("encode", picture, size=5))
    assert kind == "failed"
    assert "cannot be met" in content["error"]


def test_a_window_is_compressed_alone(visitor: Visitor) -> None:
    result = visitor.made("encode", visitor.picture(), region=[100, 90, 64, 64])
    assert (result["width"], result["height"]) == (28, 38)
    assert "saved" not in result
    assert (
        "outside"
        in visitor.end_of(visitor.start("encode", visitor.picture(), region=[500, 0, 8, 8]))[1][
            "error"
        ]
    )


def test_transparency_is_kept_or_white(visitor: Visitor) -> None:
    """Review: the viewer and the JPEG showed black where the slider showed white."""
    image = photo(64).convert("RGBA")
    image.putalpha(Image.new("L", (64, 64), 0))
    picture = visitor.picture(image)
    own = visitor.made("encode", picture)
    assert own["alpha"]
    assert visitor.pixels(f"/api/results/{own['id']}/image")[..., 3].max() == 0
    jpeg = visitor.made("encode", picture, format="jpeg", quality=90)
    assert not jpeg["alpha"]
    assert visitor.pixels(f"/api/results/{jpeg['id']}/image").min() >= 250
    tile = visitor.pixels(f"/tiles/{own['scene']}/6/0_0.jpg")
    assert tile.min() >= 250


def test_alikeness_is_measured_apart(visitor: Visitor) -> None:
    picture = visitor.picture()
    scores = []
    for quality in (20, 90):
        result = visitor.made("encode", picture, quality=quality)
        scores.append(visitor.made("score", result["id"])["ssimulacra2"])
    assert scores[0] < scores[1] <= 100


@pytest.mark.parametrize("of", ["copies", "neural", "fractal"])
def test_scenes_have_tiles_at_all_depths(visitor: Visitor, of: str) -> None:
    result = visitor.made("scene", visitor.picture(), of=of)
    pyramid = result["pyramid"]
    whole = visitor.pixels(f"/tiles/{result['scene']}/{pyramid['base_level']}/0_0.jpg")
    assert whole.shape == (128, 128, 3)
    assert abs(whole.astype(int) - np.asarray(photo())).mean() < 25
    deep = visitor.pixels(f"/tiles/{result['scene']}/{pyramid['deepest_level']}/5_7.jpg")
    assert deep.shape == (pyramid["tile"], pyramid["tile"], 3)


@pytest.mark.parametrize(
    "place", ["7/1_0", "7/0_-1", "-1/0_0", "99/0_0", "7/x_0", "7/0", "1e3/0_0", "7/0_" + "9" * 50]
)
def test_tiles_outside_are_not_found(visitor: Visitor, place: str) -> None:
    scene = visitor.made("scene", visitor.picture())["scene"]
    answer = visitor.get(f"/tiles/{scene}/{place}.jpg")
    assert answer.status_code == 404
    error_of(answer)


def test_a_picture_that_is_no_file_of_ours_is_no_scene_of_one(visitor: Visitor) -> None:
    kind, content = visitor.end_of(visitor.start("scene", visitor.picture(), of="clg"))
    assert kind == "failed"
    assert "compress it first" in content["error"]


def test_a_file_is_zoomed_into_as_it_is(visitor: Visitor) -> None:
    """Review: what a picture becomes was ignored for a .clg."""
    picture = visitor.open(nc.compress(photo(), quality=40), "a.clg").json()["id"]
    result = visitor.made("scene", picture, of="clg")
    tile = visitor.pixels(f"/tiles/{result['scene']}/7/0_0.jpg")
    shown = visitor.pixels(f"/api/pictures/{picture}/image")
    assert abs(tile.astype(int) - shown).mean() < 3


def test_views_are_saved_at_a_size(visitor: Visitor) -> None:
    scene = visitor.made("scene", visitor.picture(), of="copies")["scene"]
    view = visitor.made("view", scene=scene, scale=40, width=200, height=150, centre=[0.2, 0.9])
    file = visitor.get(f"/api/results/{view['id']}/file")
    assert Image.open(io.BytesIO(file.content)).size == (200, 150)
    assert "photo-view.png" in file.headers["content-disposition"]
    whole = visitor.made("view", scene=scene, scale=2)
    assert (whole["width"], whole["height"]) == (256, 256)
    wide = visitor.made("view", scene=scene, scale=1, width=400, height=100)
    assert (wide["width"], wide["height"]) == (400, 100)


def test_movies_have_the_size_and_length_that_were_asked_for(visitor: Visitor) -> None:
    av = pytest.importorskip("av")
    scene = visitor.made("fractalize", visitor.picture(), tiles=8)["scene"]
    movie = visitor.made(
        "movie", scene=scene, seconds=0.5, fps=12, width=96, height=64, factor=20, centre=[0.5, 0.5]
    )
    file = visitor.get(f"/api/results/{movie['id']}/file")
    assert file.headers["content-type"] == "video/mp4"
    assert "photo-fractal-zoom.mp4" in file.headers["content-disposition"]
    with av.open(io.BytesIO(file.content)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 6
    assert (frames[0].width, frames[0].height) == (96, 64)
    assert "too long" in visitor.refused("movie", scene=scene, seconds=30, fps=60, side=1920)


def test_a_movie_without_a_scene_says_what_to_do(visitor: Visitor) -> None:
    """Review: it said that a session is over."""
    assert visitor.refused("movie") == "scene is missing"


def test_art_has_the_size_that_is_asked_for(visitor: Visitor) -> None:
    """Review: fractals were fixed at the size of the upload."""
    picture = visitor.picture(photo(96))
    fractal = visitor.made("fractalize", picture, tiles=8, scale=3)
    image = visitor.pixels(f"/api/results/{fractal['id']}/image")
    assert image.shape == (288, 288, 3)
    means = image.reshape(96, 3, 96, 3, 3).mean((1, 3))
    assert (
        abs(
            means.reshape(8, 12, 8, 12, 3).mean((1, 3))
            - np.asarray(photo(96)).reshape(8, 12, 8, 12, 3).mean((1, 3))
        ).max()
        < 12
    )
    grey = visitor.made("fractalize", picture, tiles=8, colours="grey")
    colours = visitor.pixels(f"/api/results/{grey['id']}/image").astype(int)
    assert np.ptp(colours, axis=2).max() <= 1
    painted = visitor.made("stylize", picture, style=visitor.picture(photo(64)), scale=1.5)
    assert visitor.pixels(f"/api/results/{painted['id']}/image").shape == (144, 144, 3)
    assert (
        "smaller scale"
        in visitor.end_of(visitor.start("fractalize", visitor.picture(photo(256)), scale=64))[1][
            "error"
        ]
    )


def test_art_of_pictures_that_are_not_square_keeps_their_shape(visitor: Visitor) -> None:
    image = photo(128).crop((0, 0, 101, 67))
    for scale in (1, 1.7):
        result = visitor.made("fractalize", visitor.picture(image), tiles=8, scale=scale)
        shown = visitor.pixels(f"/api/results/{result['id']}/image")
        assert shown.shape == (math.ceil(67 * scale), math.ceil(101 * scale), 3)


def test_holes_are_filled_and_the_rest_stays(visitor: Visitor) -> None:
    image = photo(128)
    mask = np.zeros((128, 128, 4), np.uint8)
    mask[60:70, 50:64] = 255
    coded = base64.b64encode(png(Image.fromarray(mask))).decode()
    picture = visitor.picture(image, "beach.png")
    result = visitor.made("restore", picture, what="fill", mask=coded)
    filled = visitor.pixels(f"/api/results/{result['id']}/image").astype(int)
    outside = mask[..., 3] == 0
    np.testing.assert_array_equal(filled[outside], np.asarray(image)[outside])
    assert abs(filled - np.asarray(image))[~outside].mean() < 60
    file = visitor.get(f"/api/results/{result['id']}/file")
    assert "beach-filled.png" in file.headers["content-disposition"]  # review: always after.png


def test_masks_that_cannot_be_used_are_refused_in_words(visitor: Visitor) -> None:
    picture = visitor.picture()

    def why(mask: str) -> str:
        return str(visitor.end_of(visitor.start("restore", picture, mask=mask))[1]["error"])

    def mask_of(image: Image.Image) -> str:
        return base64.b64encode(png(image)).decode()

    assert "no PNG" in why("not base64!")
    assert "no PNG" in why(base64.b64encode(b"no picture").decode())
    assert "paint over" in why(mask_of(Image.new("L", (128, 128), 0)))
    assert "leave some" in why(mask_of(Image.new("L", (128, 128), 255)))
    assert "larger than the picture" in why(mask_of(Image.new("L", (500, 500), 255)))
    assert "paint over" in visitor.refused("restore", picture, what="fill")


def test_noise_is_removed_and_pictures_enlarged(visitor: Visitor) -> None:
    rng = np.random.default_rng(0)
    clean = np.asarray(photo(300))
    noisy = np.clip(clean + rng.normal(0, 15, clean.shape), 0, 255).astype(np.uint8)
    picture = visitor.picture(Image.fromarray(noisy))
    result = visitor.made("restore", picture, what="denoise")
    better = visitor.pixels(f"/api/results/{result['id']}/image").astype(int)
    errors = [np.square(each.astype(float) - clean).mean() for each in (better, noisy)]
    assert errors[0] < errors[1] / 2
    plain = np.clip(rng.normal(128, 15, (280, 280, 3)), 0, 255).astype(np.uint8)
    result = visitor.made("restore", visitor.picture(Image.fromarray(plain)), what="denoise")
    flat = visitor.pixels(f"/api/results/{result['id']}/image").astype(float)
    steps = abs(np.diff(flat, axis=1)).mean((0, 2))
    assert steps[255] < 3 * steps.mean() + 0.5  # parts of a large picture have no seams
    large = visitor.made("restore", visitor.picture(), what="enlarge", scale=2.5)
    assert (large["width"], large["height"]) == (320, 320)
    assert (
        "smaller scale"
        in visitor.end_of(
            visitor.start(
                "restore", visitor.picture(Image.new("RGB", (900, 900))), what="enlarge", scale=8
            )
        )[1]["error"]
    )


def test_a_morph_lies_between_its_pictures(visitor: Visitor) -> None:
    one, other = photo(64), photo(64).rotate(180)
    result = visitor.made("morph", visitor.picture(one), other=visitor.picture(other), share=0)
    shown = visitor.pixels(f"/api/results/{result['id']}/image").astype(int)
    assert abs(shown - np.asarray(one)).mean() < abs(shown - np.asarray(other)).mean()


def test_results_are_sent_on(visitor: Visitor) -> None:
    result = visitor.made("fractalize", visitor.picture(name="sea.png"), tiles=8)
    answer = visitor.post(f"/api/results/{result['id']}/picture")
    facts = answer.json()
    assert facts["kind"] == "picture"
    assert facts["name"] == "sea-fractal.png"
    visitor.delete(f"/api/results/{result['id']}")
    assert visitor.made("encode", facts["id"])["width"] == 128
    coded = visitor.made("encode", visitor.picture(), quality=30)
    facts = visitor.post(f"/api/results/{coded['id']}/picture").json()
    assert facts["kind"] == "clg"
    assert visitor.made("scene", facts["id"], of="clg")["pyramid"]["width"] == 128


def test_examples_open_and_have_thumbnails(visitor: Visitor) -> None:
    pytest.importorskip("skimage")
    about = visitor.get("/api/about").json()
    assert len(about["examples"]) == 6
    for entry in (*about["examples"], *about["styles"]):
        assert visitor.pixels(entry["thumb"]).shape[2] == 3
    facts = visitor.post("/api/examples/poster").json()
    assert facts["alpha"]
    result = visitor.made("encode", facts["id"], **about["examples"][4]["settings"])
    assert result["psnr"] is None  # it promises to be exact
    for address in ("/api/examples/none", "/api/examples/..%2f"):
        assert visitor.post(address).status_code == 404


def test_examples_that_were_prepared_open_at_once(server: Server, visitor: Visitor) -> None:
    from neural_collage.web import catalogue
    from neural_collage.web.settings import checked
    from neural_collage.web.studio import recipe_of

    example = catalogue.EXAMPLES[0]
    house, gallery = server.studio.gallery.house, server.studio.gallery
    item = gallery.picture(example["id"])
    request = {"kind": "encode", "picture": item.id, "settings": example["settings"]}
    job = server.studio.start(house, request)
    assert job.over.wait(120)
    recipe = recipe_of("encode", item, checked("encode", example["settings"]))
    gallery.prepared[recipe] = house.items[house.made[recipe]]
    picture = visitor.post(f"/api/examples/{example['id']}").json()["id"]
    events = list(visitor.events(visitor.start("encode", picture, **example["settings"])))
    assert [kind for kind, _ in events] == ["done"]
    result = events[0][1]["result"]
    assert result["picture"] == picture
    assert visitor.get(f"/api/results/{result['id']}/file").status_code == 200
