"""The enumerations that a policy is written with, and that failures are told in."""

from .values.failures import Category as ErrorCategory
from .values.failures import RetryableErrorType
from .values.policy import BackoffStrategy

__all__ = ["BackoffStrategy", "ErrorCategory", "RetryableErrorType"]
