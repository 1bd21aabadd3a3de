"""Line plots as SVG."""

from collections.abc import Sequence
from html import escape

from explorer.training_log import Curve

COLORS = ("#2f5d62", "#b0523d", "#c2913a", "#4c7a59", "#6f5a8a", "#8a8375", "#3f78a8")
WIDTH, HEIGHT = 600, 240
LEFT, RIGHT, TOP, BOTTOM = 66, 158, 14, 28


def line_plot(
    curves: Sequence[Curve], *, low: float | None = None, high: float | None = None, unit: str = "step"
) -> str:
    """Plots curves over steps, labeled with their last values; ``low`` and ``high`` fix the ends of the axis,
    ``unit`` names its steps.
    """
    steps = [step for curve in curves for step, _ in curve.points]
    values = [value for curve in curves for _, value in curve.points if abs(value) < float("inf")]
    first, last = min(steps), max(steps)
    bottom = min(values) if low is None else min(low, *values)
    top = max(values) if high is None else max(high, *values)
    top = top if top > bottom else bottom + (abs(bottom) or 1.0)

    def position(step: int, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (step - first) / max(last - first, 1)
        return x, TOP + (HEIGHT - TOP - BOTTOM) * (top - value) / (top - bottom)

    parts = [_axis(bottom, top, first, last, unit)]
    taken: list[float] = []
    for curve, color in zip(curves, COLORS, strict=False):
        points = [position(step, value) for step, value in curve.points if abs(value) < float("inf")]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8" stroke-linejoin="round"/>'
        )
        y = _free(points[-1][1], taken)
        words = f"{curve.name.rpartition('/')[2]} {curve.points[-1][1]:.3g}"
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}" fill="{color}" font-size="12">{escape(words)}</text>'
        )
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="Helvetica, Arial, sans-serif">'
    return f"{opening}{''.join(parts)}</svg>"


def _axis(bottom: float, top: float, first: int, last: int, unit: str) -> str:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = TOP + (HEIGHT - TOP - BOTTOM) * share
        value = top - (top - bottom) * share
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3ded3"/>')
        lines.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#6b665b" font-size="11">{value:.3g}</text>'
        )
    for step, x, anchor in ((first, LEFT, "start"), (last, WIDTH - RIGHT, "end")):
        words = f"{escape(unit)} {step}"
        lines.append(
            f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}" fill="#6b665b" font-size="11">{words}</text>'
        )
    return "".join(lines)


def _free(y: float, taken: list[float]) -> float:
    """Height of a label that does not overlap those already ``taken``."""
    step = 14 if y < HEIGHT / 2 else -14
    while any(abs(y - other) < 14 for other in taken):
        y += step
    taken.append(y)
    return y
