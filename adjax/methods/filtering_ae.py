"""Filtering autoencoder, after "Noise & Pattern" (Bauer, Müller 2025, arXiv 2511.07233).

It repairs structured corruptions, a random shape × texture × opacity, while isotropic Gaussian noise lies over image
and target alike: what is like noise is let through, what has a structure of its own is taken out.

The network is AE + Stain's, without its skips. Network, shapes and textures are this library's own choice; skips,
`noise`, loss and score were chosen on defects planted in validation images (experiments/reconstruction/choose.json).
"""

from functools import partial

from adjax.methods.stain_ae import stain_ae

filtering_ae = partial(stain_ae, synthesis="structured", noise=0.05, skips=False, score="msgms + l1")
