"""The child: reads requests from one pipe and answers on another, until the first is closed."""

from __future__ import annotations

import os
import signal
import sys
import warnings


def main() -> None:
    """Serve until the pipe closes: requests come on standard input, answers go to standard output.

    Both are moved out of the way first, so that what the person's code prints or reads goes
    nowhere.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(here))
    sys.dont_write_bytecode = True
    sys.path += [
        path for path in sys.argv[1:] if path not in sys.path
    ]  # where NumPy lies, should -I hide it
    from child import framing, limits, loading, machine  # type: ignore[import-not-found]

    sys.path.remove(os.path.dirname(here))
    sys.argv = ["check"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    warnings.simplefilter("ignore")

    def take(count: int) -> bytes:
        parts, missing = [], count
        while missing:
            part = os.read(incoming, min(missing, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def give(value: object) -> None:
        try:
            content = framing.encode(value)
        except framing.FrameError as error:
            told = {
                "type": "ValueError",
                "message": f"it returned more than can be looked at: {error}",
            }
            content = framing.encode(
                {"value": None, "error": told, "args": (), "changed": (), "seconds": 0.0}
            )
        view = memoryview(content)
        while view:
            view = view[os.write(outgoing, view) :]

    order = framing.read(take)
    limits.end_with_parent()
    held = limits.apply(order["limits"])
    if order.get("confine"):
        from child import allowed, confinement

        confine = order["confine"]
        found = allowed.find(confine.get("packages", ()), confine["read"])
        sys.meta_path.append(found)
        try:
            held += confinement.apply(confine, found.readable())
        except (confinement.ConfinementError, OSError) as error:
            give({"refused": str(error)})
            return
    if order.get("folder"):
        os.chdir(order["folder"])
    give({"held": held})  # said before a line of the person's code has run: it cannot be forged
    if order.get("refused"):
        limits.refuse_answers(tuple(order["refused"]))
    loaded = loading.load(order)
    served = machine.Machine(loaded.namespace, order["names"])
    inventory = machine.inventory(loaded.namespace, order["names"])
    give({
        "inventory": inventory,
        "notes": loaded.notes,
        "read": loaded.read,
        "passed_over": loaded.passed_over,
        "strangers": loaded.strangers,
    })  # fmt: skip
    while True:
        give(served.answer(framing.read(take)))


if __name__ == "__main__":
    main()
