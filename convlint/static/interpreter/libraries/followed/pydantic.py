# pydantic: a model has the fields that it lists.
from dataclasses import asdict, replace


class BaseModel:
    _is_record = True

    def model_dump(self, **kwargs):
        return asdict(self)

    dict = model_dump

    def model_copy(self, update=None, deep=False):
        return replace(self, **(update or {}))

    copy = model_copy

    @classmethod
    def model_validate(cls, obj, **kwargs):
        return cls(**obj)

    parse_obj = model_validate


BaseSettings = BaseModel
