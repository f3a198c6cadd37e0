"""Records of `model-samples`, as those read them that learn from them."""

import msgspec

from stream import features
from stream.events import ModelSample


class Sample(msgspec.Struct):
    """A customer's feature vector at a time, milliseconds since 1970 (UTC)."""

    customer: str
    at: int
    features_version: int
    x: list[float]

    @property
    def current(self) -> bool:
        """Whether it is of the features that this version has."""
        return self.features_version == features.VERSION and len(self.x) == len(features.NAMES)


#: A sample of its JSON; raises msgspec.MsgspecError.
read = msgspec.json.Decoder(Sample).decode
assert set(Sample.__struct_fields__) == set(ModelSample.model_fields)
