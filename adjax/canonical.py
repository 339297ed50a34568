"""Gradients of convolutions that stay fast on the CPU inside loops.

XLA's CPU backend has a quick convolution for the dimension order of `CANONICAL` alone. It brings others into that
order in a program's outermost computation, but not in the body of a `while_loop` or `scan`, where the slow one is
left: for gradients, whose kernels come transposed. So the program is rewritten before XLA sees it.
"""

from collections.abc import Callable

import jax
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

CANONICAL = lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))  # b h w c, h w i o, b h w c
CALLS = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}  # and what they call


def canonical(function: Callable) -> Callable:
    """The same function of arrays, with every two-dimensional convolution in the order that XLA has a fast path for.

    To be used around what a loop repeats, after differentiation: `canonical(jax.grad(energy))`.
    """

    def rewritten(*args):
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
        found = _evaluate(closed, *jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return rewritten


def _evaluate(closed: ClosedJaxpr, *args) -> list:
    """Runs a program equation by equation; the programs within its equations are rewritten first."""
    jaxpr, values = closed.jaxpr, {}
    values |= zip(jaxpr.constvars, closed.consts, strict=True)
    values |= zip(jaxpr.invars, args, strict=True)
    read = lambda atom: atom.val if isinstance(atom, Literal) else values[atom]
    for equation in jaxpr.eqns:
        primitive, operands = equation.primitive, [read(atom) for atom in equation.invars]
        if primitive is lax.conv_general_dilated_p:
            results = [_convolve(*operands, **equation.params)]
        elif primitive.name in CALLS:
            results = _evaluate(equation.params[CALLS[primitive.name]], *operands)
        else:
            results = primitive.bind(*operands, **{name: _rewritten(p) for name, p in equation.params.items()})
            results = results if primitive.multiple_results else [results]
        values |= zip(equation.outvars, results, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _rewritten(param):
    """A parameter of an equation; where it is a program (of `scan`, `cond` ...) a rewritten one."""
    if type(param) is tuple:
        return tuple(_rewritten(p) for p in param)
    if not isinstance(param, ClosedJaxpr):
        return param
    return jax.make_jaxpr(lambda *args: _evaluate(param, *args))(*param.in_avals)


def _convolve(image, kernel, *, dimension_numbers, **params):
    def plain(image, kernel):
        return lax.conv_general_dilated_p.bind(image, kernel, dimension_numbers=dimension_numbers, **params)

    def ordered(image, kernel):
        image, kernel = (_reordered(x, *pair) for x, *pair in zip((image, kernel), dimension_numbers, CANONICAL))
        result = lax.conv_general_dilated_p.bind(image, kernel, dimension_numbers=CANONICAL, **params)
        return _reordered(result, CANONICAL.out_spec, dimension_numbers.out_spec)

    if image.ndim != 4 or dimension_numbers == CANONICAL:
        return plain(image, kernel)
    return lax.platform_dependent(image, kernel, cpu=ordered, default=plain)


def _reordered(x, have, want):
    """Axis have[i] of x becomes axis want[i]."""
    return x.transpose(tuple(have[want.index(axis)] for axis in range(x.ndim)))
