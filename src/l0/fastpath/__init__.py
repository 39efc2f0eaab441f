"""Do the SDKs' own work in compiled form: response objects, request parameters, HTTP/1.1 chunks."""
