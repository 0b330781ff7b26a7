"""A result as a notebook shows it: three slices over the CT, a colour bar, the organs, the warnings."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
from numpy.typing import NDArray

from ._images import Volume

if TYPE_CHECKING:
    from ._result import Result

#: Colours of the dose from none to the maximum, evenly spaced (inferno).
_COLOURS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    np.float64,
)
#: Part of the maximum below which the dose is not drawn.
_LEAST = 0.02
#: Width of a slice in pixels of the screen, and least number of pixels of a picture along an edge.
_WIDTH, _FINE = 260, 200
#: HU, or g/cm³, that are black and white.
_WINDOW_HU, _WINDOW_DENSITY = (-200.0, 300.0), (0.7, 1.4)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture of rows of red, green and blue."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def coloured(part: NDArray[Any]) -> NDArray[np.float64]:
    """Colours of parts of the maximum, 0 to 1."""
    place = np.clip(part, 0.0, 1.0) * (len(_COLOURS) - 1)
    low = np.minimum(place.astype(int), len(_COLOURS) - 2)
    between = (place - low)[..., None]
    mixed: NDArray[np.float64] = _COLOURS[low] * (1 - between) + _COLOURS[low + 1] * between
    return mixed


def _picture(pixels: NDArray[Any], ratio: float) -> str:
    repeat = max(1, _FINE // max(pixels.shape[:2]))
    fine = np.repeat(np.repeat(pixels, repeat, 0), repeat, 1)
    data = base64.b64encode(png(np.clip(fine, 0, 255).astype(np.uint8))).decode()
    style = f"width:{_WIDTH}px;height:{_WIDTH * ratio:.0f}px;image-rendering:auto;vertical-align:top"
    return f'<img alt="" style="{style}" src="data:image/png;base64,{data}">'


def _window(background: Volume) -> tuple[float, float]:
    """What is black and white: g/cm³ if nothing is above the density of bone, else HU."""
    stored = background.values
    highest = max(float(end) * background.slope + background.intercept for end in (stored.min(), stored.max()))
    return _WINDOW_DENSITY if highest < 30.0 else _WINDOW_HU


def _grey(background: Volume, cut: tuple[Any, ...], window: tuple[float, float]) -> NDArray[np.float64]:
    """A plane of what is below the dose, 0 to 1: of the plane alone, as a volume may be large."""
    low, high = window
    values = background.values[cut] * background.slope + background.intercept
    grey: NDArray[np.float64] = np.clip((values - low) / (high - low), 0.0, 1.0)
    return grey


def slices(result: "Result", background: Optional[Volume]) -> str:
    """Axial, coronal and sagittal slices through the voxel with the highest dose."""
    dose = result.dose.volume.values
    top = float(dose.max())
    # On other voxels it is not drawn.
    below_it = background if background is not None and background.values.shape == dose.shape else None
    window = _window(below_it) if below_it is not None else (0.0, 1.0)
    place = np.unravel_index(int(dose.argmax()), dose.shape)
    spacing = result.dose.grid.spacing_mm
    pictures = []
    for axis in 2, 1, 0:
        cut: list[Any] = [slice(None)] * 3
        cut[axis] = int(place[axis])
        plane = dose[tuple(cut)].T[::-1]
        part = plane / top if top > 0 else np.zeros_like(plane)
        pixels = coloured(part)
        if below_it is not None:
            grey = _grey(below_it, tuple(cut), window).T[::-1]
            below = np.repeat((grey * 255)[..., None], 3, axis=2)
            cover = np.where(part < _LEAST, 0.0, 0.35 + 0.5 * part)[..., None]
            pixels = below * (1 - cover) + pixels * cover
        rows, columns = (number for number in (2, 1, 0) if number != axis)
        ratio = plane.shape[0] * spacing[rows] / (plane.shape[1] * spacing[columns])
        pictures.append(_picture(pixels, ratio))
    return "".join(pictures)


def _bar(top: float) -> str:
    stops = ", ".join(f"rgb({red:.0f},{green:.0f},{blue:.0f})" for red, green, blue in _COLOURS)
    marks = "".join(f"<span>{top * part / 4:.3g}</span>" for part in range(5))
    return (
        f'<div style="width:{_WIDTH}px;height:10px;background:linear-gradient(to right, {stops})"></div>'
        f'<div style="width:{_WIDTH}px;display:flex;justify-content:space-between;font-size:85%">{marks}</div>'
        '<div style="font-size:85%">absorbed dose [Gy]</div>'
    )


def _number(value: Optional[float]) -> str:
    return "–" if value is None else f"{value:.4g}"


def page(result: "Result", background: Optional[Volume]) -> str:
    """The whole, as HTML that stands alone."""
    rows = "".join(
        f"<tr><td>{html.escape(organ.name)}</td><td>{_number(organ.mean_by_mass_gy)}</td>"
        f"<td>{_number(organ.mean_by_mass_sigma_gy)}</td><td>{_number(organ.max_gy)}</td>"
        f"<td>{_number(organ.volume_cm3)}</td></tr>"
        for organ in result.organs.values()
    )
    head = "<tr><th>organ</th><th>dose [Gy]</th><th>1σ [Gy]</th><th>maximum [Gy]</th><th>volume [cm³]</th></tr>"
    table = f"<table>{head}{rows}</table>" if rows else ""
    said = "".join(f"<li>{html.escape(str(warning))}</li>" for warning in result.warnings)
    warned = f"<p>Warnings</p><ul>{said}</ul>" if said else ""
    device = html.escape(str(result.provenance.get("device", {}).get("name", "")))
    method = html.escape(f"{result.provenance.get('nuclide', '')}, {result.provenance.get('method', '')}")
    top = float(result.dose.volume.values.max())
    return f"<div><p>{method}, {device}</p>{slices(result, background)}{_bar(top)}{table}{warned}</div>"
