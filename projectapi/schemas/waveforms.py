"""A waveform on the wire: the JSON of audiowaveform (version 2), which players of waveforms read."""

from __future__ import annotations

import orjson

from projectapi.protocols import Waveform


def waveform_document(waveform: Waveform) -> bytes:
    """Return the JSON document; see https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md."""
    return orjson.dumps(
        {
            "version": 2,
            "channels": 1,
            "sample_rate": waveform.sample_rate,
            "samples_per_pixel": waveform.samples_per_pixel,
            "bits": 8,
            "length": waveform.length,
            "data": waveform.data,
        }
    )
