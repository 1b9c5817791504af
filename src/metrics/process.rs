//! What the system knows of this process, under the names that Prometheus has for it. Linux only: elsewhere, and where `/proc` cannot be
//! read, there is nothing.

use std::fmt::Write;
use std::fs;

/// Linux counts a process's time in hundredths of a second, whatever its own clock does.
const TICKS: f64 = 100.0;

/// The series, in the text format of Prometheus.
#[must_use]
pub fn text() -> String {
    let mut out = String::new();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let boot = fs::read_to_string("/proc/stat").ok().and_then(|text| number(&text, "btime"));
    let started = boot.zip(after_name(&stat, 19)).map(|(boot, ticks)| boot + ticks / TICKS);
    let cpu = after_name(&stat, 11).zip(after_name(&stat, 12)).map(|(user, system)| (user + system) / TICKS);
    let memory = fs::read_to_string("/proc/self/status").ok().and_then(|text| number(&text, "VmRSS:"));
    let most = fs::read_to_string("/proc/self/limits").ok().and_then(|text| number(&text, "Max open files"));
    for (name, kind, about, value) in [
        ("process_cpu_seconds_total", "counter", "Seconds of CPU that the process has used.", cpu),
        ("process_resident_memory_bytes", "gauge", "Memory that the process holds.", memory.map(|kib| kib * 1024.0)),
        ("process_open_fds", "gauge", "Open files and connections.", open_files()),
        ("process_max_fds", "gauge", "Most open files and connections.", most),
        ("process_start_time_seconds", "gauge", "When the process started, in seconds since the epoch.", started),
    ] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
    }
    out
}

/// The number behind a word at the beginning of a line.
fn number(text: &str, word: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(word))?.split_whitespace().next()?.parse().ok()
}

/// A field of `/proc/self/stat`, counted from behind the program's name, which may hold spaces.
fn after_name(stat: &str, place: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(place)?.parse().ok()
}

fn open_files() -> Option<f64> {
    // One of them is the folder that is being read.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_bracket_does_not_confuse() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 12345 9";
        assert_eq!((after_name(stat, 11), after_name(stat, 12), after_name(stat, 19)), (Some(250.0), Some(50.0), Some(12345.0)));
    }

    #[test]
    fn limits_are_read() {
        assert_eq!(number("Limit  Soft\nMax open files            1024                 4096  files\n", "Max open files"), Some(1024.0));
        assert_eq!(number("Max open files            unlimited  unlimited  files\n", "Max open files"), None);
    }
}
