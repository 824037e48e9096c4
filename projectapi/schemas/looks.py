"""What is asked for of a video's looks."""

from __future__ import annotations

from marshmallow import fields, validate

from projectapi.project import PEAKS_PER_SECOND
from projectapi.schemas.fields import QueryNumber, Text, about
from projectapi.schemas.loading import RequestSchema

_VERSION = about("Names one version of the video, as the index of the filmstrip does: the answer may then be kept for good.")


class LookRequest(RequestSchema):
    """Query of what there is one of for each video."""

    v = Text(high=64, load_default=None, metadata=_VERSION)


class FrameRequest(LookRequest):
    """Query of GET /media/{id}/thumbnail."""

    t = QueryNumber(
        low=0,
        high=1e12,
        load_default=None,
        metadata=about("What is seen at this time, in seconds; after the end it is the last picture.", 1.5),
    )


class WaveformRequest(LookRequest):
    """Query of GET /media/{id}/waveform."""

    peaks_per_second = fields.Integer(
        validate=validate.OneOf(PEAKS_PER_SECOND),
        load_default=20,
        metadata=about("How fine; of videos of many hours fewer are kept, and `samples_per_pixel` says how many.", 20),
    )
