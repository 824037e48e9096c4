"""The JSON documents of a video's looks."""

from __future__ import annotations

from marshmallow import fields

from projectapi.schemas.fields import about
from projectapi.schemas.requests import EXAMPLE_ID
from projectapi.schemas.shapes.fields import Answer, integer_field, number_field, text_field


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
