"""Methods of later versions. The guard answers them with UNIMPLEMENTED and the reason."""

from collections.abc import Mapping

_RUNNER = "/runwire.v1.RunnerService/"
_SESSION = "/runwire.v1.SessionService/"

PLANNED: Mapping[str, str] = {
    _RUNNER + "EnqueueMessage": "steering a live run comes with a later version",
    _RUNNER + "CancelQueuedMessages": "steering a live run comes with a later version",
    _RUNNER + "ResolveApproval": "approvals come with a later version",
    _RUNNER + "SubmitToolOutputs": "tools that the caller executes come with a later version",
    _SESSION + "UpdateSession": "session names and expiry come with a later version",
    _SESSION + "GetEventWindow": "event windows come with a later version; use ListEvents",
    _SESSION + "TruncateSession": "edit and regenerate comes with a later version",
    _SESSION + "CreateSummary": "summaries come with a later version",
    _SESSION + "GetSummary": "summaries come with a later version",
    _SESSION + "AppendTrackEvents": "track events come with a later version",
    _SESSION + "ListTrackEvents": "track events come with a later version",
}
