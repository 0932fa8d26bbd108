//! The North American Numbering Plan: area codes and which of them overlay each other.
