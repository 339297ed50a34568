"""Weighted sums of losses as a config or a command line writes them: "ssim", "ssim + 0.5*l1"."""

from adjax.losses.table import check_weights
from adjax.types import UserError


def parse(spec: str) -> dict[str, float]:
    """{"ssim": 1.0, "l1": 0.5} from "ssim + 0.5*l1". Raises UserError on an unknown name or a weight that is none."""
    weights: dict[str, float] = {}
    for part in spec.split("+"):
        weight, _, name = part.rpartition("*")
        try:
            weights[name.strip()] = weights.get(name.strip(), 0.0) + float(weight or 1.0)
        except ValueError as error:
            raise UserError(
                f"loss '{spec}': '{weight.strip()}' is not a weight; write for example 'ssim + 0.5*l1'"
            ) from error
    return check_weights(weights)
