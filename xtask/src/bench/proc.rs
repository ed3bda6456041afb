//! Programs that are measured: started, waited for, looked at in `/proc`, ended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A program that ends when this is dropped.
pub(super) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts a program whose output nobody waits for. What it says goes to `log`.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        command.stdout(Stdio::null());
        Self::spawn(command, log)
    }

    /// Starts a program and waits for a line of output that begins with `prefix`; returns the rest
    /// of that line.
    pub(super) fn start_until(
        command: &mut Command,
        log: &Path,
        prefix: &'static str,
        patience: Duration,
    ) -> Result<(Self, String), String> {
        command.stdout(Stdio::piped());
        let mut running = Self::spawn(command, log)?;
        let (tell, told) = mpsc::channel();
        if let Some(out) = running.child.stdout.take() {
            // Reads to the end, so that the program never blocks on a full pipe.
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    if let Some(rest) = line.strip_prefix(prefix) {
                        let _ = tell.send(rest.trim().to_owned());
                    }
                }
            });
        }
        match told.recv_timeout(patience) {
            Ok(rest) => Ok((running, rest)),
            Err(_) => Err(format!(
                "{} did not print \"{}\"; see {}",
                running.name,
                prefix.trim(),
                log.display()
            )),
        }
    }

    fn spawn(command: &mut Command, log: &Path) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let said = |e: std::io::Error| format!("{name}: {e}");
        let log = File::create(log).map_err(said)?;
        let child = command.stdin(Stdio::null()).stderr(log).spawn().map_err(said)?;
        Ok(Self { child, name })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(super) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and kills it if it has not within `patience`. Whether it ended by itself.
    pub(super) fn end(mut self, patience: Duration) -> bool {
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id())]).status();
        let until = Instant::now() + patience;
        while self.alive() {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `/proc/PID/stat` says that is of interest here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// User and system time of the process and of its children that ended, clock ticks.
    ticks: u64,
}

/// proc_pid_stat(5). The name may contain blanks and parentheses.
fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Field 3 of the manual is the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = (14..=17).map(number).sum::<Option<u64>>()?;
    Some(Stat { parent: u32::try_from(number(4)?).ok()?, ticks })
}

fn stats() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        Some((pid, stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))
    })
    .collect()
}

/// `roots` and everything below them.
fn family(all: &BTreeMap<u32, Stat>, roots: &[u32]) -> Vec<u32> {
    let mut found: Vec<u32> = roots.to_vec();
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(all.iter().filter(|(_, s)| s.parent == parent).map(|(pid, _)| pid));
        at += 1;
    }
    found
}

/// Processor time that the programs and their children have used.
pub(super) fn cpu_ms(roots: &[u32]) -> f64 {
    let all = stats();
    let ticks: u64 =
        family(&all, roots).iter().filter_map(|pid| all.get(pid)).map(|s| s.ticks).sum();
    ticks as f64 * 1_000.0 / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    let said = Command::new("getconf").arg("CLK_TCK").output().ok();
    said.and_then(|o| String::from_utf8(o.stdout).ok()?.trim().parse().ok()).unwrap_or(100.0)
}

/// Resident memory and each program's proportional share of it, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) rss: u64,
    pub(super) pss: u64,
}

pub(super) fn memory(roots: &[u32]) -> Memory {
    let mut sum = Memory::default();
    for pid in family(&stats(), roots) {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let one = rollup(&text);
        sum = Memory { rss: sum.rss + one.rss, pss: sum.pss + one.pss };
    }
    sum
}

fn rollup(text: &str) -> Memory {
    let kib = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Memory { rss: kib("Rss:") * 1_024, pss: kib("Pss:") * 1_024 }
}

/// Seconds in which cores of the whole machine were busy, since it started.
pub(super) fn busy_s() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    busy_ticks(&text) as f64 / ticks_per_second()
}

/// proc_stat(5): everything but idle (4th) and iowait (5th); guest time is inside user time.
fn busy_ticks(text: &str) -> u64 {
    let line = text.lines().next().unwrap_or_default();
    let fields = line.split_whitespace().skip(1).map(|f| f.parse::<u64>().unwrap_or(0));
    fields.take(8).enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, v)| v).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_any_name() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 0 0 0 10 20 30 40 20 0 1 0 5 1 1";
        assert_eq!(stat(line), Some(Stat { parent: 3, ticks: 100 }));
        assert_eq!(stat("7 (a) S 3"), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn a_family_is_found_over_generations() {
        let one = |parent| Stat { parent, ticks: 1 };
        let all = BTreeMap::from([(1, one(0)), (2, one(1)), (3, one(2)), (4, one(1)), (9, one(0))]);
        assert_eq!(family(&all, &[2]), [2, 3]);
        assert_eq!(family(&all, &[1]), [1, 2, 4, 3]);
    }

    #[test]
    fn memory_and_busy_time_are_read() {
        let text = "1-2 ---p\nRss:   12 kB\nPss:\t 3 kB\nPss_Anon: 9 kB\n";
        assert_eq!(rollup(text), Memory { rss: 12_288, pss: 3_072 });
        assert_eq!(busy_ticks("cpu  1 2 3 1000 1000 4 5 6 100 100\ncpu0 1"), 21);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let me = [std::process::id()];
        assert!(memory(&me).pss > 0);
        assert!(family(&stats(), &me).contains(&me[0]));
    }

    #[test]
    fn a_program_is_waited_for_and_ended() {
        let log = std::env::temp_dir().join(format!("xtask-proc-{}.log", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo not yet; echo ready here; exec sleep 60"]);
        let patience = Duration::from_secs(20);
        let (running, rest) = Running::start_until(&mut command, &log, "ready ", patience).unwrap();
        assert_eq!(rest, "here");
        assert!(running.end(patience));
        let silent = Running::start_until(&mut Command::new("true"), &log, "ready ", patience);
        assert!(silent.is_err_and(|e| e.starts_with("true did not print \"ready\"")));
        let _ = fs::remove_file(log);
    }
}
