//! The cage: what this process gives up before it looks at its first input.
//!
//! - Landlock: no file of any kind can be opened, made or removed, no TCP port bound or reached,
//!   no abstract socket or signal outside, as far as the kernel's version of it goes.
//! - seccomp: system calls that a codec does not need fail with EPERM: no opening of anything, no
//!   sockets, no other programs, no processes (threads only), no memory that is made executable,
//!   no look at other processes.
//! - limits: address space, no core files, no writing to files, few descriptors.
//! - no new privileges, and no debugger.
//!
//! Either of the first two would do against files and sockets; a hole in one is behind the other.

use std::fmt::Write as _;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr as _,
    RulesetStatus, Scope,
};
use pixels::wire::FaultKind;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::fault::{Faulty, fault};

/// What is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cage {
    /// Landlock's version; 0 when the kernel has none.
    pub(crate) landlock: u32,
    pub(crate) seccomp: bool,
}

/// All memory together. An 8K picture takes 50 MB and a decoder may hold 17; libraries and thread
/// stacks reserve much that they never use.
const ADDRESS_SPACE_MAX: u64 = 3 << 30;
const DESCRIPTORS_MAX: u64 = 32;

/// Shuts the cage, or refuses. `device`: an open device must go on working.
pub(crate) fn shut(device: bool, allow_uncaged: bool) -> Faulty<Cage> {
    limits(device);
    let landlock = landlock();
    // Filters hold for threads that are made later, and none has been made.
    let seccomp = seccomp(device);
    judge(landlock, seccomp, allow_uncaged)
}

/// Whether that is enough.
fn judge(
    landlock: Result<u32, String>,
    seccomp: Result<(), String>,
    allow_uncaged: bool,
) -> Faulty<Cage> {
    let mut lacking = String::new();
    if let Err(e) = &landlock {
        let _ = write!(lacking, "Landlock ({e})");
    }
    if let Err(e) = &seccomp {
        let _ = write!(lacking, "{}seccomp ({e})", if lacking.is_empty() { "" } else { " and " });
    }
    if !lacking.is_empty() && !allow_uncaged {
        let text = format!(
            "pictures are not decoded: this kernel lacks {lacking}, which keeps a broken decoder \
             from the rest of the system. Use a kernel that has it, or accept the risk with \
             allow_uncaged"
        );
        return Err(fault(FaultKind::Uncaged, text));
    }
    Ok(Cage { landlock: landlock.unwrap_or(0), seccomp: seccomp.is_ok() })
}

/// Limits can only be lowered here, so none of these fails; what fails is covered by the filter.
fn limits(device: bool) {
    let set = |resource, value| {
        let limit = Rlimit { current: Some(value), maximum: Some(value) };
        let _ = rustix::process::setrlimit(resource, limit);
    };
    set(Resource::As, ADDRESS_SPACE_MAX);
    set(Resource::Core, 0);
    set(Resource::Fsize, 0);
    if !device {
        set(Resource::Nofile, DESCRIPTORS_MAX);
    }
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Gives up all that Landlock knows of, for this thread and those that it makes.
fn landlock() -> Result<u32, String> {
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|r| r.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|r| r.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .map_err(|e| e.to_string())?;
    let status = rules.restrict_self().map_err(|e| e.to_string())?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err("not there or not turned on".to_owned());
    }
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi as u32),
        _ => Err("not there or not turned on".to_owned()),
    }
}

/// System calls without a condition: memory, time, waiting, and what is open already.
const ALLOWED: &[&str] = &[
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "exit",
    "exit_group",
    "fstat",
    "futex",
    "getpid",
    "getrandom",
    "getrusage",
    "gettid",
    "gettimeofday",
    "lseek",
    "madvise",
    "membarrier",
    "mremap",
    "munmap",
    "nanosleep",
    "ppoll",
    "read",
    "readv",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
    "sysinfo",
    "uname",
    "write",
    "writev",
];

#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[&str] = &["poll", "time"];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[&str] = &[];

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const PROT_EXEC: u32 = 4;
const CLONE_THREAD: u32 = 0x1_0000;
const PR_SET_NAME: u32 = 15;
/// Type of the V4L2 ioctls ('V'), in bits 8 to 15 of the request.
const IOCTL_V4L2: u32 = 0x5600;

/// The first filter, in seccompiler's JSON, which spares us numbers of system calls.
fn filter(device: bool, pid: u32) -> String {
    let mut rules = String::new();
    for name in ALLOWED.iter().chain(ALLOWED_HERE) {
        let _ = write!(rules, r#"{{"syscall":"{name}"}},"#);
    }
    let mut when = |name: &str, index: u8, op: &str, value: u32| {
        let _ = write!(
            rules,
            r#"{{"syscall":"{name}","args":[{{"index":{index},"type":"dword","op":{op},"val":{value}}}]}},"#
        );
    };
    // Memory, but none that programs can be written into.
    when("mmap", 2, &format!(r#"{{"masked_eq":{PROT_EXEC}}}"#), 0);
    when("mprotect", 2, &format!(r#"{{"masked_eq":{PROT_EXEC}}}"#), 0);
    // Threads, not processes. What the flags of clone3 say no filter can see: see `seccomp`.
    when("clone", 0, &format!(r#"{{"masked_eq":{CLONE_THREAD}}}"#), CLONE_THREAD);
    when("prctl", 0, r#""eq""#, PR_SET_NAME);
    // abort() may end this process, and nobody may end another.
    when("tgkill", 0, r#""eq""#, pid);
    // F_GETFD and F_GETFL.
    when("fcntl", 1, r#""eq""#, 1);
    when("fcntl", 1, r#""eq""#, 3);
    if device {
        when("ioctl", 1, r#"{"masked_eq":65280}"#, IOCTL_V4L2);
    }
    // Allowed here to be answered by the second filter.
    rules.push_str(r#"{"syscall":"clone3"}"#);
    format!(
        r#"{{"codec":{{"mismatch_action":{{"errno":{EPERM}}},"match_action":"allow","filter":[{rules}]}}}}"#
    )
}

/// The second filter says that clone3 does not exist, whereupon the C library uses clone, whose
/// flags the first one sees.
fn filter_clone3() -> String {
    format!(
        r#"{{"codec":{{"mismatch_action":"allow","match_action":{{"errno":{ENOSYS}}},"filter":[{{"syscall":"clone3"}}]}}}}"#
    )
}

fn seccomp(device: bool) -> Result<(), String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| "unknown processor".to_owned())?;
    // Both are compiled first: the first to be applied forbids to apply another.
    let compiled: Vec<_> = [filter_clone3(), filter(device, std::process::id())]
        .iter()
        .map(|json| seccompiler::compile_from_json(json.as_bytes(), arch))
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    for program in compiled.iter().filter_map(|map| map.get("codec")) {
        seccompiler::apply_filter(program).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named_and_refused_unless_allowed() {
        fn no<T>() -> Result<T, String> {
            Err("ENOSYS".to_owned())
        }
        assert_eq!(judge(Ok(7), Ok(()), false), Ok(Cage { landlock: 7, seccomp: true }));
        let refused = judge(no(), Ok(()), false).unwrap_err();
        assert_eq!(refused.kind, FaultKind::Uncaged);
        assert!(refused.text.contains("Landlock (ENOSYS)"), "{}", refused.text);
        assert!(refused.text.contains("allow_uncaged"), "{}", refused.text);
        let refused = judge(no(), no(), false).unwrap_err();
        assert!(refused.text.contains("Landlock (ENOSYS) and seccomp (ENOSYS)"));
        assert!(judge(Ok(1), no(), false).is_err());
        assert_eq!(judge(no(), no(), true), Ok(Cage::default()));
        assert_eq!(judge(Ok(3), no(), true), Ok(Cage { landlock: 3, seccomp: false }));
    }

    /// Landlock by itself, without the filter that hides it: it holds for one thread.
    #[test]
    fn landlock_alone_keeps_files_away() {
        let file = std::env::current_exe().unwrap();
        let before = std::fs::File::open(&file);
        assert!(before.is_ok());
        let inside = std::thread::spawn(move || match landlock() {
            Ok(_) => Some(std::fs::File::open(&file).map(|_| ()).map_err(|e| e.kind())),
            Err(_) => None,
        });
        match inside.join().unwrap() {
            Some(opened) => assert_eq!(opened, Err(std::io::ErrorKind::PermissionDenied)),
            None => eprintln!("skipped: this kernel has no Landlock"),
        }
    }

    #[test]
    fn both_filters_compile_for_every_processor_that_khien_runs_on() {
        for device in [false, true] {
            let arch = std::env::consts::ARCH.try_into().unwrap();
            let map = seccompiler::compile_from_json(filter(device, 1).as_bytes(), arch).unwrap();
            assert!(map["codec"].len() > ALLOWED.len());
        }
        let other = "aarch64".try_into().unwrap();
        if cfg!(target_arch = "x86_64") {
            // Names that only x86-64 knows stand in a list of their own.
            let json = filter(true, 1).replace(r#"{"syscall":"poll"},{"syscall":"time"},"#, "");
            seccompiler::compile_from_json(json.as_bytes(), other).unwrap();
        }
    }
}
