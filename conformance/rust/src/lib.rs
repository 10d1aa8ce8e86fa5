//! Nothing but tests: see `tests/official`.
