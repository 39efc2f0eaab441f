"""Export the enumerations of policies and failures."""

from l0.model.failure import Category as ErrorCategory
from l0.model.failure import Cause, RetryableErrorType
from l0.model.policy import BackoffStrategy

__all__ = ["BackoffStrategy", "Cause", "ErrorCategory", "RetryableErrorType"]
