"""Run each call as the state machine commands, with one driver for sync code and one for async code. Both do the same,
except for how they wait, time out and close."""
