"""A service: jobs and results over HTTP, and one page. Every job is a command in its own process.

The server itself loads neither numpy nor a NetCDF library: what needs them is done by processes,
so that no request waits for an import, and no upload is opened here."""
