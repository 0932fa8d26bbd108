//! Both stores keep the contract.

use super::Directory;
use crate::conformance;
use crate::memory::MemoryDisk;

#[test]
fn the_memory_store_keeps_the_contract() {
    conformance::all(|| Box::new(MemoryDisk::new()));
}

#[test]
fn the_sqlite_store_keeps_the_contract() {
    conformance::all(|| Box::new(Directory::new()));
}

#[test]
fn the_sqlite_store_keeps_the_contract_in_one_file() {
    conformance::all(|| {
        let mut directory = Directory::new();
        directory.options.messages_per_shard = 1_000_000;
        // And with dates of sending met by walking.
        directory.options.sort_at_most = 0;
        Box::new(directory)
    });
}
