//! Tests of selection: the worked examples, properties on random pools, and a slow obvious reference.

mod examples;
mod properties;
mod reference;
mod world;
