//! What a process costs: processor time and memory, read from `/proc`.

use anyhow::Context as _;

/// Clock ticks per second; 100 on every Linux that matters.
const TICKS_PER_S: f64 = 100.0;

/// Processor seconds a process has used, user and system.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name may hold blanks; it ends at the last parenthesis.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .context("stat has a command")?
        .1
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields[index].parse::<f64>();
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// Resident memory and its peak, in MiB.
pub(crate) fn memory_mib(pid: u32) -> anyhow::Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|kib| kib.parse::<f64>().ok())
            .map_or(0.0, |kib| kib / 1024.0)
    };
    Ok((field("VmRSS:"), field("VmHWM:")))
}
