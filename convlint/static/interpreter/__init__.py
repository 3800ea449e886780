"""The abstract interpreter. The rest of static analysis uses the names below; the modules of this
package execute syntax that contains each other, so they alone may refer to each other in a circle.
"""

from convlint.static.domain.execution import Raised
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.classes import is_enum
from convlint.static.interpreter.exceptions import takes_exceptions
from convlint.static.interpreter.input_mappings import is_mapping
from convlint.static.interpreter.interpreter import Interpreter
from convlint.static.interpreter.libraries import MODELS
from convlint.static.interpreter.module_calls import ModuleCall
from convlint.static.interpreter.parameter_lists import lengths
from convlint.static.interpreter.path_choices import PathChoice, PathChoices
from convlint.static.interpreter.records import fields as record_fields
from convlint.static.interpreter.registries import update_registries, with_definitions

__all__ = [
    "MODELS",
    "Call",
    "Interpreter",
    "ModuleCall",
    "PathChoice",
    "PathChoices",
    "Raised",
    "is_enum",
    "is_mapping",
    "lengths",
    "record_fields",
    "takes_exceptions",
    "update_registries",
    "with_definitions",
]
