"""Run a call on the commands of the state machine, with one driver for sync code and one for async code. The drivers
differ only at ``await`` and at timers."""
