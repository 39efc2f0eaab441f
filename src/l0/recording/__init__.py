"""The flight recorder: requests, reads, decisions and ends of calls, in SQLite files that survive a crash."""
