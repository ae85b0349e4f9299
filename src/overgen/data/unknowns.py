"""Images of no class: noise, broken images, simple shapes and textures, for any image shape.

What a classifier should know that it does not know. Every function gives (N, C, H, W) uint8 and draws from the
generator that it is given alone, so that the same stream gives the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from overgen import OvergenError

GRID = 4  # patches along each side of an image that is shuffled by patches
BLOCK = 1 << 22  # values of the images that are made at once
OCTAVES = 4  # of clouds, from cells of a third of the image to 8 times finer ones

Shape = Sequence[int]  # (C, H, W)


def generated(known: Tensor, count: int, streams: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """Every kind of `streams`, (count, C, H, W) uint8 each.

    known: images (N, C, H, W) uint8, which some kinds are made from, and whose mean and deviation the normal noise has.
    count: of each kind. streams: by kind, of `KINDS`. Large images are made in blocks: memory is bounded.
    """
    shape = tuple(known.shape[1:])
    size = max(1, BLOCK // math.prod(shape))
    counts = [min(size, count - start) for start in range(0, count, size)]
    return {kind: torch.cat([_block(kind, known, n, draws) for n in counts]) for kind, draws in streams.items()}


def _block(kind: str, known: Tensor, count: int, draws: torch.Generator) -> Tensor:
    if kind in FROM_IMAGES:
        return FROM_IMAGES[kind](known[torch.randint(len(known), (count,), generator=draws)], draws)
    shape = tuple(known.shape[1:])
    if kind == "normal":
        return normal_images(count, shape, *moments(known), draws)
    return FROM_NOTHING[kind](count, shape, draws)


def moments(images: Tensor) -> tuple[float, float]:
    """Mean and deviation of the values of images, uint8."""
    shares = torch.bincount(images.flatten(), minlength=256).double() / images.numel()
    values = torch.arange(256, dtype=torch.float64)
    mean = float(shares @ values)
    return mean, math.sqrt(float(shares @ (values - mean) ** 2))


def uniform_images(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """Every pixel uniform in 0..255, independent of all others."""
    return torch.randint(0, 256, (count, *shape), generator=draws).byte()


def normal_images(count: int, shape: Shape, mean: float, deviation: float, draws: torch.Generator) -> Tensor:
    """Every pixel normal with that mean and deviation, of 0..255, then rounded and clipped."""
    return (torch.randn((count, *shape), generator=draws) * deviation + mean).round().clamp(0, 255).byte()


def shuffled(images: Tensor, draws: torch.Generator) -> Tensor:
    """Images with the values of each in a random order of its own: its histogram stays, and nothing else."""
    flat = images.flatten(1)
    order = torch.rand(flat.shape, generator=draws).argsort(1)
    return flat.gather(1, order).view_as(images)


def shuffled_patches(images: Tensor, draws: torch.Generator) -> Tensor:
    """Images cut into `GRID` × `GRID` patches, those of each in a random order of its own: local structure stays.

    Rows and columns beyond a multiple of `GRID` stay in their place; an image of a side below `GRID` has patches of
    one pixel.
    """
    count, _, height, width = images.shape
    rows, columns = min(GRID, height), min(GRID, width)
    h, w = height // rows, width // columns
    inner = images[:, :, : rows * h, : columns * w]
    patches = inner.unflatten(2, (rows, h)).unflatten(4, (columns, w)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.rand((count, rows * columns), generator=draws).argsort(1)
    patches = patches[torch.arange(count)[:, None], order].unflatten(1, (rows, columns))
    made = images.clone()
    made[:, :, : rows * h, : columns * w] = patches.permute(0, 3, 1, 4, 2, 5).reshape(inner.shape)
    return made


def phase_randomised(images: Tensor, draws: torch.Generator) -> Tensor:
    """Images of which each frequency keeps its amplitude and gets the phase of noise, the same in all channels.

    Mean and spectrum stay, up to clipping to 0..255; edges and shapes go.
    """
    noise = torch.randn((len(images), 1, *images.shape[2:]), generator=draws, dtype=torch.float64).numpy()
    phase = np.angle(np.fft.fft2(noise))
    phase[..., 0, 0] = 0  # the mean
    spectrum = np.abs(np.fft.fft2(images.cpu().numpy().astype(np.float64)))
    return _bytes(np.fft.ifft2(spectrum * np.exp(1j * phase)).real)


def smooth_noise(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """Noise whose amplitude falls as 1/f, as that of photographs; each channel from 0 to 255."""
    noise = torch.randn((count, *shape), generator=draws, dtype=torch.float64).numpy()
    f = np.hypot(np.fft.fftfreq(shape[-2])[:, None], np.fft.fftfreq(shape[-1]))
    amplitude = np.divide(1, f, out=np.zeros_like(f), where=f > 0)
    return _stretched(np.fft.ifft2(np.fft.fft2(noise) * amplitude).real)


def constant_images(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """One value, uniform in 0..255, in all pixels of a channel.

    Gray ones are draws from the 256 that there are, so that images repeat: of 500 some 220 differ.
    """
    levels = torch.randint(0, 256, (count, shape[0], 1, 1), generator=draws)
    return levels.expand(count, *shape).contiguous().byte()


def silhouettes(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """Geometric shapes in one colour on another: discs, ellipses, squares, triangles, stars, rings and crosses.

    Each turned by a random angle, 0.3 to 0.9 of the shorter side across, wholly inside or nearly so.
    """
    x, y = _plane(shape)
    size = 0.3 + 0.6 * _uniform(count, draws)  # across, where the shorter side is 1
    across, down = (x - (1 - size) * (_uniform(count, draws) - 0.5), y - (1 - size) * (_uniform(count, draws) - 0.5))
    u, v = _turned(across, down, count, draws)
    u, v = 2 * u / size, 2 * v / size  # now 2 across
    r, angle = torch.hypot(u, v), torch.atan2(v, u)
    forms = torch.stack([
        r < 1,
        torch.hypot(u, 2 * v) < 1,
        torch.maximum(u.abs(), v.abs()) < 0.75,
        (v > -0.5) & (v + math.sqrt(3) * u.abs() < 1),
        r < 0.7 + 0.3 * torch.cos(5 * angle),
        (r < 1) & (r > 0.55),
        (torch.minimum(u.abs(), v.abs()) < 0.3) & (r < 1),
    ])  # fmt: skip
    form = torch.randint(0, len(forms), (count,), generator=draws)
    return _two_colours(forms[form, torch.arange(count)].double(), shape, draws)


def textures(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """Regular and irregular patterns that fill the image, in two colours: stripes, checkers and clouds in turn."""
    kinds = [stripes, checkers, clouds]
    whole = torch.zeros((count, *shape), dtype=torch.uint8)
    for i, kind in enumerate(kinds[:count]):
        whole[i :: len(kinds)] = kind(len(whole[i :: len(kinds)]), shape, draws)
    return whole


def stripes(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """A sine wave of random direction, phase and 2 to 10 periods across the shorter side, between two colours."""
    u, _ = _turned(*_plane(shape), count, draws)
    waves = 2 + 8 * _uniform(count, draws)
    return _two_colours(0.5 + 0.5 * torch.sin(2 * math.pi * (waves * u + _uniform(count, draws))), shape, draws)


def checkers(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """A turned and shifted chessboard of 2 to 10 fields across the shorter side, in two colours."""
    u, v = _turned(*_plane(shape), count, draws)
    fields = 2 + 8 * _uniform(count, draws)
    corner = (fields * u + _uniform(count, draws)).floor() + (fields * v + _uniform(count, draws)).floor()
    return _two_colours(corner % 2, shape, draws)


def clouds(count: int, shape: Shape, draws: torch.Generator) -> Tensor:
    """Gradient noise (Perlin 1985) of `OCTAVES` octaves, each half as strong as the one before, between two colours."""
    x, y = ((axis + 0.5 * axis.abs().max()) for axis in _plane(shape))
    x, y = x - x.min(), y - y.min()
    whole = torch.zeros((count, *x.shape[1:]), dtype=torch.float64)
    for octave in range(OCTAVES):
        cells = 3 * 2**octave
        u, v = (cells * x).expand(count, *x.shape[1:]), (cells * y).expand(count, *y.shape[1:])
        i, j = u.floor().long(), v.floor().long()
        angles = torch.rand((count, int(j.max()) + 2, int(i.max()) + 2), generator=draws, dtype=torch.float64)
        angles = 2 * math.pi * angles
        image = torch.arange(count)[:, None, None]
        s, t = u - i, v - j
        corners = {
            (a, b): torch.cos(angles[image, j + b, i + a]) * (s - a) + torch.sin(angles[image, j + b, i + a]) * (t - b)
            for a in (0, 1)
            for b in (0, 1)
        }
        fade_s, fade_t = (z**3 * (10 - 15 * z + 6 * z**2) for z in (s, t))
        upper = corners[0, 0] + fade_s * (corners[1, 0] - corners[0, 0])
        lower = corners[0, 1] + fade_s * (corners[1, 1] - corners[0, 1])
        whole += 0.5**octave * (upper + fade_t * (lower - upper))
    low, high = whole.amin((1, 2), keepdim=True), whole.amax((1, 2), keepdim=True)
    return _two_colours((whole - low) / (high - low).clamp_min(1e-12), shape, draws)


FROM_IMAGES = {"shuffled": shuffled, "patches": shuffled_patches, "phase": phase_randomised}
FROM_NOTHING = {
    "uniform": uniform_images, "smooth": smooth_noise, "constant": constant_images, "silhouettes": silhouettes,
    "textures": textures,
}  # fmt: skip
KINDS = ("uniform", "normal", "smooth", "constant", "shuffled", "patches", "phase", "silhouettes", "textures")


def read(path: str | Path, shape: Shape) -> Tensor:
    """Unknowns of one's own from a file: a `.npz` or `.safetensors` with one array `image`.

    shape: (C, H, W) that they must have. The array is uint8, (N, H, W) of gray pictures, (N, H, W, 3) of colour or
    (N, C, H, W). Returns (N, C, H, W) uint8. Raises OvergenError naming the file and what is wrong with it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            arrays = load_file(path)
        else:
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored)
    except FileNotFoundError as error:
        raise OvergenError(f"{path}: missing; it should hold the images of no class") from error
    except (SafetensorError, OSError, ValueError, EOFError) as error:
        raise OvergenError(f"{path}: neither .npz nor .safetensors with an array `image` ({error})") from error
    if "image" not in arrays:
        raise OvergenError(f"{path}: has no array `image`; there are {', '.join(arrays) or 'none'}")
    image, channels = arrays["image"], shape[0]
    if image.dtype == np.uint8 and image.ndim == 4 and channels == 3 and image.shape[1:] == (*shape[1:], channels):
        image = np.moveaxis(image, -1, 1)
    elif image.ndim == 3 and channels == 1:
        image = image[:, None]
    if image.dtype != np.uint8 or image.shape[1:] != tuple(shape) or not len(image):
        raise OvergenError(
            f"{path}: image is {image.dtype} {arrays['image'].shape}; it must be uint8 (N, C, H, W) with N >= 1 and "
            f"(C, H, W) = {tuple(shape)}, as the data set's images are"
        )
    return torch.from_numpy(np.ascontiguousarray(image))


def digest(path: str | Path) -> str:
    """The first digits of a file's MD5. Raises OvergenError if it is missing."""
    try:
        return hashlib.md5(Path(path).read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise OvergenError(f"{path}: missing; it should hold the images of no class") from error


def _uniform(count: int, draws: torch.Generator) -> Tensor:
    return torch.rand((count, 1, 1), generator=draws, dtype=torch.float64)


def _plane(shape: Shape) -> tuple[Tensor, Tensor]:
    """x and y of every pixel's middle, (1, H, W), from the image's middle, in shorter sides."""
    _, height, width = shape
    side = min(height, width)
    y = (torch.arange(height, dtype=torch.float64) + 0.5 - height / 2) / side
    x = (torch.arange(width, dtype=torch.float64) + 0.5 - width / 2) / side
    return x.expand(1, height, width), y[:, None].expand(1, height, width)


def _turned(x: Tensor, y: Tensor, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Coordinates turned by a random angle for each of `count` images. x, y: (N or 1, H, W). Returns (N, H, W) each."""
    angle = 2 * math.pi * _uniform(count, draws)
    return torch.cos(angle) * x + torch.sin(angle) * y, torch.cos(angle) * y - torch.sin(angle) * x


def _two_colours(mixture: Tensor, shape: Shape, draws: torch.Generator) -> Tensor:
    """Images between two colours that are at least a quarter of the range apart in each channel.

    mixture: (N, H, W), 0 for the one and 1 for the other.
    """
    count = len(mixture)
    first = 256 * torch.rand((count, shape[0], 1, 1), generator=draws, dtype=torch.float64)
    away = 64 + 128 * torch.rand((count, shape[0], 1, 1), generator=draws, dtype=torch.float64)
    second = torch.where(first < 128, first + away, first - away)
    return (first + mixture[:, None] * (second - first)).floor().clamp(0, 255).byte()


def _stretched(values: np.ndarray) -> Tensor:
    """Values (N, C, H, W), each channel of an image from 0 to 255; 0 where all are the same."""
    low, high = values.min((2, 3), keepdims=True), values.max((2, 3), keepdims=True)
    return _bytes(255 * (values - low) / np.where(high > low, high - low, 1))


def _bytes(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.rint(values).clip(0, 255).astype(np.uint8))
