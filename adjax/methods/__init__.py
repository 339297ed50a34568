"""The table of methods: name -> factory of keyword arguments. Trained methods take `tx`, the optimiser."""

from adjax.methods.ae_kde import ae_kde
from adjax.methods.anoddpm import anoddpm
from adjax.methods.anomaly_dino import anomaly_dino
from adjax.methods.conv_ae import conv_ae
from adjax.methods.ddad import ddad
from adjax.methods.diffusion_ad import diffusion_ad
from adjax.methods.draem import draem
from adjax.methods.efficient_ad import efficient_ad
from adjax.methods.filtering_ae import filtering_ae
from adjax.methods.inpainting import inpainting
from adjax.methods.intensity import intensity
from adjax.methods.local_median import local_median
from adjax.methods.mahalanobis import mahalanobis
from adjax.methods.memae import memae
from adjax.methods.one_class import one_class
from adjax.methods.padim import padim
from adjax.methods.patchcore import patchcore
from adjax.methods.reconpatch import reconpatch
from adjax.methods.repaint import repaint
from adjax.methods.reverse_distillation import reverse_distillation
from adjax.methods.riad import riad
from adjax.methods.self_similarity import self_similarity
from adjax.methods.similarity import similarity
from adjax.methods.spade import spade
from adjax.methods.stain_ae import stain_ae
from adjax.methods.stfpm import stfpm
from adjax.methods.uninformed_students import uninformed_students
from adjax.methods.vae import vae
from adjax.types import UserError

METHODS = {
    "ae_kde": ae_kde,
    "anoddpm": anoddpm,
    "anomaly_dino": anomaly_dino,
    "conv_ae": conv_ae,
    "ddad": ddad,
    "diffusion_ad": diffusion_ad,
    "draem": draem,
    "efficient_ad": efficient_ad,
    "filtering_ae": filtering_ae,
    "inpainting": inpainting,
    "intensity": intensity,
    "local_median": local_median,
    "mahalanobis": mahalanobis,
    "memae": memae,
    "one_class": one_class,
    "padim": padim,
    "patchcore": patchcore,
    "reconpatch": reconpatch,
    "repaint": repaint,
    "reverse_distillation": reverse_distillation,
    "riad": riad,
    "self_similarity": self_similarity,
    "similarity": similarity,
    "spade": spade,
    "stain_ae": stain_ae,
    "stfpm": stfpm,
    "uninformed_students": uninformed_students,
    "vae": vae,
}


def factory(name: str):
    if name not in METHODS:
        raise UserError(f"unknown method '{name}'; choose from {', '.join(METHODS)}")
    return METHODS[name]
