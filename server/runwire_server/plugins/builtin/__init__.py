"""Plugins that many apps need: `from runwire_server.plugins.builtin import ApprovalPolicy, …`."""

from runwire_server.plugins.builtin.approval_policy import ApprovalPolicy
from runwire_server.plugins.builtin.error_messages import ErrorMessages
from runwire_server.plugins.builtin.global_instruction import GlobalInstruction
from runwire_server.plugins.builtin.logging_plugin import LoggingPlugin
from runwire_server.plugins.builtin.redaction import Redaction

__all__ = ["ApprovalPolicy", "ErrorMessages", "GlobalInstruction", "LoggingPlugin", "Redaction"]
