//! Tests of selection: the worked examples, and properties on random pools.

mod examples;
mod properties;
mod world;
