"""The end of loops that go on without a new layer: numbers and tensors may be computed forever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convlint.static.domain.budget import STEPS_OF_A_LOOP

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


class Progress:
    """The layers that a loop has built and called so far, and the steps left when it last came to a new one."""

    __slots__ = ("_interpreter", "_layers", "_steps")

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._layers = len(interpreter.creators), len(interpreter.called)
        self._steps = interpreter.steps

    def has_ended(self) -> bool:
        """Count an iteration, and return whether the loop has come to no new layer for too many steps."""
        interpreter = self._interpreter
        interpreter.step()
        if self._steps - interpreter.steps <= STEPS_OF_A_LOOP:
            return False
        layers = len(interpreter.creators), len(interpreter.called)
        if layers == self._layers:
            return True
        self._layers, self._steps = layers, interpreter.steps
        return False
