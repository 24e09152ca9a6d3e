"""What proves the product and is no part of it; run from a checkout, it is not in the wheel.

`python -m proof` measures every promise; `python -m proof.bench` measures speed and memory beside
other libraries; `python -m proof.conformance`, `proof.checker`, `proof.agreement`,
`proof.backward` and `proof.mutation` make the other figures of docs/. Tests import from here.
"""
