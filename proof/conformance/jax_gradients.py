"""JAX as the judge: `jax.test_util.check_grads` of every layer, in every layout. JAX is loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from normlab.typing import Array
from proof.conformance.subjects import LAYOUTS, Subject, laid_out


def as_function(subject: Subject) -> Callable[..., Any]:
    """The subject as a JAX function with a derivative of its own: both passes are callbacks into ours."""
    import jax

    def forward(*arguments: Any) -> Array:
        return np.asarray(subject.forward(*map(np.asarray, arguments))[0])

    def backward(dout: Any, *arguments: Any) -> tuple[Array, ...]:
        _, cache = subject.forward(*map(np.asarray, arguments))
        return subject.backward(np.asarray(dout), cache)

    def compute(*arguments: Any) -> Any:
        out = forward(*(np.ones(a.shape) for a in arguments))
        return jax.pure_callback(
            forward, jax.ShapeDtypeStruct(out.shape, arguments[0].dtype), *arguments
        )

    def keep_the_arguments(*arguments: Any) -> tuple[Any, Any]:
        return compute(*arguments), arguments

    def gradients(arguments: Any, dout: Any) -> Any:
        shapes = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arguments)
        return jax.pure_callback(backward, shapes, dout, *arguments)

    function = jax.custom_vjp(compute)
    function.defvjp(keep_the_arguments, gradients)
    wrapped: Callable[..., Any] = function
    return wrapped


def gradchecks(
    subjects: Mapping[str, Subject], layouts: Iterable[str] = LAYOUTS
) -> Iterator[tuple[str, str]]:
    """(layer and layout, what `check_grads` says against it or '') for every subject and layout, in float64."""
    import jax
    from jax.test_util import check_grads

    for name, subject in subjects.items():
        for layout in layouts:
            with jax.enable_x64(True):
                arguments = tuple(
                    jax.numpy.asarray(a) for a in subject.draw(np.random.RandomState(0))
                )
                try:
                    check_grads(
                        as_function(laid_out(subject, layout)),
                        arguments,
                        1,
                        ("rev",),
                        1e-6,
                        1e-6,
                        1e-6,
                    )
                except AssertionError as error:
                    yield f"{name}, {layout}", " ".join(str(error).split())
                else:
                    yield f"{name}, {layout}", ""
