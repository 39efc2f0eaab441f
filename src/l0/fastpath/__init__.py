"""Faster replacements for code of the SDKs and their transports: response objects, requests, HTTP/1.1 bodies."""
