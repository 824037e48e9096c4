"""What is asked for of a video's looks, and what their JSON documents have."""

from __future__ import annotations

from marshmallow import fields, validate

from projectapi.project import PEAKS_PER_SECOND
from projectapi.schemas.fields import QueryNumber, Text, about
from projectapi.schemas.loading import RequestSchema
from projectapi.schemas.requests import EXAMPLE_ID
from projectapi.schemas.shapes.fields import Answer, integer_field, number_field, text_field

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


class FilmstripIndex(Answer):
    """Where on the sheet which time is: tile n, from 0, stands for the time from n times `interval` on."""

    image = text_field("Address of the sheet.", f"/media/{EXAMPLE_ID}/filmstrip.jpg?v=9f86d081884c7d65")
    tile_width = integer_field("In pixels.", 160)
    tile_height = integer_field("In pixels.", 90)
    columns = integer_field("Tiles in a row.", 10)
    rows = integer_field("Rows of tiles.", 6)
    interval = number_field("In seconds.", 30.0)
    count = integer_field("Tiles in all.", 60)
    duration = number_field("Of the video, in seconds.", 1800.0)


class WaveformPeaks(Answer):
    """The format of audiowaveform, version 2, which wavesurfer and peaks.js read."""

    version = integer_field("Of the format.", 2)
    channels = integer_field("All are mixed into one.", 1)
    sample_rate = integer_field("Samples a second.", 48_000)
    samples_per_pixel = integer_field("Samples that each pair stands for.", 2400)
    bits = integer_field("Of each number.", 8)
    length = integer_field("Pairs; 0 for a video without sound.", 2)
    data = fields.List(fields.Integer(), required=True, metadata=about("Lowest and highest of each in turn.", [-3, 4, -20, 18]))
