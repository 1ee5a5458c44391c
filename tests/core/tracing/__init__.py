"""Tests of traces. A local HTTP server receives the spans in place of a trace collector."""
