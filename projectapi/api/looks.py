"""The looks of a video: what is seen at a time, a filmstrip for scrubbing, the shape of its sound.

Each has an entity tag made of the video's own hash. Under an address with ``v``, as the index of the filmstrip names them, they
never change and need not be asked for again; under any other a new video may stand tomorrow.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, jsonify, request

from projectapi.api.bodies import query
from projectapi.api.conditional import known_tags
from projectapi.api.context import backend, project_key
from projectapi.api.documentation import documented, file_of, plain
from projectapi.errors import DiskFull, MediaBusy, NotFound, VideoLost, VideoNotFound
from projectapi.project import Video
from projectapi.schemas.filmstrips import filmstrip_document, filmstrip_track
from projectapi.schemas.looks import LookRequest, WaveformRequest
from projectapi.schemas.shapes.looks import FilmstripIndex, WaveformPeaks
from projectapi.schemas.waveforms import waveform_document

blueprint = Blueprint("looks", __name__)

_FOR_EVER_SECONDS = 365 * 24 * 3600
_LOOK, _WAVEFORM = LookRequest(), WaveformRequest()

LOOKING = (NotFound, VideoNotFound, VideoLost, MediaBusy, DiskFull)
"""What may become of asking for a look."""


@blueprint.before_request
def check_conditions() -> None:
    """Refuse an `If-None-Match` that is no list of entity tags, which Werkzeug would leave aside."""
    known_tags()


@blueprint.get("/media/<project_id>/filmstrip.jpg")
@documented(answer=file_of("image/jpeg"), query=LookRequest, headers=("If-None-Match",), errors=LOOKING)
def get_filmstrip(project_id: str) -> Response:
    """Return the sheet with all pictures of the filmstrip."""
    asked, video = query(_LOOK), _video(project_id)
    return _picture(backend().looks.filmstrip_sheet(video), video, "filmstrip", asked["v"])


@blueprint.get("/media/<project_id>/filmstrip.json")
@documented(answer=plain(FilmstripIndex), query=LookRequest, headers=("If-None-Match",), errors=LOOKING)
def get_filmstrip_index(project_id: str) -> Response:
    """Return where on the sheet which time is."""
    asked, video = query(_LOOK), _video(project_id)
    document = filmstrip_document(backend().looks.filmstrip_of(video), _sheet_address(project_id, video))
    return _kept(jsonify(document), video, "filmstrip-index", asked["v"])


@blueprint.get("/media/<project_id>/filmstrip.vtt")
@documented(answer=file_of("text/vtt"), query=LookRequest, headers=("If-None-Match",), errors=LOOKING)
def get_filmstrip_track(project_id: str) -> Response:
    """Return where on the sheet which time is, as a WebVTT track that video players read."""
    asked, video = query(_LOOK), _video(project_id)
    track = filmstrip_track(backend().looks.filmstrip_of(video), _sheet_address(project_id, video))
    return _kept(Response(track, mimetype="text/vtt"), video, "filmstrip-track", asked["v"])


@blueprint.get("/media/<project_id>/waveform")
@documented(answer=plain(WaveformPeaks), query=WaveformRequest, headers=("If-None-Match",), errors=LOOKING)
def get_waveform(project_id: str) -> Response:
    """Return the peaks of the sound, as audiowaveform writes them and wavesurfer and peaks.js read them."""
    asked, video = query(_WAVEFORM), _video(project_id)
    wanted = asked["peaks_per_second"]
    document = waveform_document(backend().looks.waveform_of(video, wanted))
    return _kept(Response(document, mimetype="application/json"), video, f"waveform-{wanted}", asked["v"])


def frame_at(project_id: str, seconds: float, version: str | None) -> Response:
    """Return what is seen at this time; after the end it is the last picture. `version` is that in the address, if any."""
    video = _video(project_id)
    hundredths = round(min(seconds, video.duration) * 100)
    return _picture(backend().looks.frame_at(video, seconds), video, f"frame-{hundredths}", version)


def _video(project_id: str) -> Video:
    video = backend().projects.get_summary(project_key(project_id)).video
    if video is None:
        raise VideoNotFound
    return video


def _sheet_address(project_id: str, video: Video) -> str:
    return f"/media/{project_id}/filmstrip.jpg?v={_version(video)}"


def _version(video: Video) -> str:
    return video.sha256[:16]


def _picture(path: Path, video: Video, what: str, version: str | None) -> Response:
    try:
        # Read whole: a picture is small, and it may be swept while it is sent.
        response = Response(path.read_bytes(), mimetype="image/jpeg")
    except FileNotFoundError as error:
        # The video was replaced since its picture was looked up.
        raise NotFound from error
    return _kept(response, video, what, version)


def _kept(response: Response, video: Video, what: str, version: str | None) -> Response:
    """Let clients keep the answer: for good where the address names this very `version`, else until they have asked again."""
    response.set_etag(f"{_version(video)}-{what}")
    if version == _version(video):
        response.cache_control.max_age = _FOR_EVER_SECONDS
        response.cache_control.immutable = True
    else:
        response.cache_control.no_cache = True
    response.make_conditional(request.environ)
    return response
