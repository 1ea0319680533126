// Made by clients/go/generate from clients/service_config.json. DO NOT EDIT.

package runwirev1

// ServiceConfig says which calls gRPC repeats by itself, and how often.
const ServiceConfig = `{
  "methodConfig": [
    {
      "name": [
        {"service": "runwire.v1.AgentService", "method": "ListAgents"},
        {"service": "runwire.v1.AgentService", "method": "GetAgent"},
        {"service": "runwire.v1.AgentService", "method": "GetServerInfo"},
        {"service": "runwire.v1.RunnerService", "method": "Cancel"},
        {"service": "runwire.v1.RunnerService", "method": "RunStatus"},
        {"service": "runwire.v1.RunnerService", "method": "WaitRun"},
        {"service": "runwire.v1.RunnerService", "method": "ListRuns"},
        {"service": "runwire.v1.RunnerService", "method": "ListRunEvents"},
        {"service": "runwire.v1.RunnerService", "method": "CancelQueuedMessages"},
        {"service": "runwire.v1.RunnerService", "method": "ResolveApproval"},
        {"service": "runwire.v1.RunnerService", "method": "SubmitToolOutputs"},
        {"service": "runwire.v1.SessionService", "method": "GetOrCreateSession"},
        {"service": "runwire.v1.SessionService", "method": "GetSession"},
        {"service": "runwire.v1.SessionService", "method": "ListSessions"},
        {"service": "runwire.v1.SessionService", "method": "UpdateSession"},
        {"service": "runwire.v1.SessionService", "method": "DeleteSession"},
        {"service": "runwire.v1.SessionService", "method": "RestoreSession"},
        {"service": "runwire.v1.SessionService", "method": "ListEvents"},
        {"service": "runwire.v1.SessionService", "method": "GetEventWindow"},
        {"service": "runwire.v1.SessionService", "method": "TruncateSession"},
        {"service": "runwire.v1.SessionService", "method": "GetState"},
        {"service": "runwire.v1.SessionService", "method": "UpdateState"},
        {"service": "runwire.v1.SessionService", "method": "DeleteState"},
        {"service": "runwire.v1.SessionService", "method": "CreateSummary"},
        {"service": "runwire.v1.SessionService", "method": "GetSummary"},
        {"service": "runwire.v1.SessionService", "method": "ListTrackEvents"},
        {"service": "runwire.v1.SessionService", "method": "Flush"}
      ],
      "retryPolicy": {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]
      }
    }
  ]
}`
