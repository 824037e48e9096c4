"""What the parts of projectapi must do for each other: the protocols that the handlers know, and nothing of who fulfils them.

The store protocols are the specification that every store fulfils and that one contract suite checks; their docstrings name
the errors that each method raises.
"""

from projectapi.protocols.answers import CODINGS, Answer, Answers
from projectapi.protocols.backend import Backend
from projectapi.protocols.backups import (
    BackupProblem,
    Backups,
    BackupSource,
    BackupSummary,
    BackupTarget,
    Progress,
    ProjectBatch,
    RawProject,
    StoredFile,
)
from projectapi.protocols.caching import Cache, CacheStatus
from projectapi.protocols.diagnosis import Diagnosis, Examination, Verdict, fail, ok, warn
from projectapi.protocols.files import IncomingFile, TrimmedFile, VideoFiles
from projectapi.protocols.health import Check, Finding, State
from projectapi.protocols.idempotency import IdempotencyStore, RecordedAnswer, Remembered
from projectapi.protocols.imports import ImportedProject, ImportedVersion, ProjectImports
from projectapi.protocols.jobs import (
    Job,
    JobCarrier,
    JobKind,
    JobRequest,
    Jobs,
    JobState,
    JobStopped,
    JobStore,
    Report,
    Worker,
)
from projectapi.protocols.looks import Filmstrip, VideoLooks, Waveform
from projectapi.protocols.media_disk import (
    DamagedVideo,
    DiskMarker,
    DiskState,
    FileTrouble,
    ForeignDisk,
    Mark,
    MediaAudit,
    MediaDisk,
)
from projectapi.protocols.metrics import Metrics
from projectapi.protocols.projects import ProjectStore
from projectapi.protocols.speech import Recogniser, Word
from projectapi.protocols.timelines import TimelineStore
from projectapi.protocols.transcripts import TranscriptStore
from projectapi.protocols.upkeep import (
    CollectionStatus,
    DatabaseSchema,
    DatabaseStatus,
    HistoryReport,
    Housekeeping,
    MigrationReport,
    PurgeReport,
    SchemaVersions,
    Trashed,
)
from projectapi.protocols.uploads import Checksum, ResumableUpload, ResumableUploads, UploadPlan

__all__ = [
    "Answer",
    "Answers",
    "Backend",
    "BackupProblem",
    "BackupSource",
    "BackupSummary",
    "BackupTarget",
    "Backups",
    "CODINGS",
    "Cache",
    "CacheStatus",
    "Check",
    "Checksum",
    "CollectionStatus",
    "DamagedVideo",
    "DatabaseSchema",
    "DatabaseStatus",
    "Diagnosis",
    "Examination",
    "Finding",
    "DiskMarker",
    "DiskState",
    "FileTrouble",
    "ForeignDisk",
    "Filmstrip",
    "HistoryReport",
    "Housekeeping",
    "IdempotencyStore",
    "ImportedProject",
    "ImportedVersion",
    "IncomingFile",
    "Job",
    "JobCarrier",
    "JobKind",
    "JobRequest",
    "JobState",
    "JobStopped",
    "JobStore",
    "Jobs",
    "Mark",
    "MediaAudit",
    "MediaDisk",
    "Metrics",
    "MigrationReport",
    "Progress",
    "ProjectBatch",
    "ProjectImports",
    "ProjectStore",
    "PurgeReport",
    "Recogniser",
    "RawProject",
    "RecordedAnswer",
    "Remembered",
    "Report",
    "ResumableUpload",
    "ResumableUploads",
    "SchemaVersions",
    "State",
    "StoredFile",
    "TimelineStore",
    "TranscriptStore",
    "Trashed",
    "TrimmedFile",
    "UploadPlan",
    "Verdict",
    "VideoFiles",
    "VideoLooks",
    "Waveform",
    "Word",
    "Worker",
    "fail",
    "ok",
    "warn",
]
