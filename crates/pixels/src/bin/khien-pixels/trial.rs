//! Tries to break out, and says how that went. Every attempt is one that works in any ordinary
//! process.

use std::io;
use std::process::Command;

use pixels::wire::Attempt;

fn attempt<T>(what: &str, tried: io::Result<T>) -> Attempt {
    let (refused, detail) = match tried {
        Ok(_) => (false, "it worked".to_owned()),
        Err(e) => (true, e.to_string()),
    };
    Attempt { what: what.to_owned(), refused, detail }
}

// What must not be possible is tried with what would do it most directly.
#[allow(clippy::disallowed_types)]
pub(crate) fn run(parent: u32) -> Vec<Attempt> {
    let elsewhere = std::env::temp_dir().join(format!("khien-escaped-{}", std::process::id()));
    let rustix = |r: rustix::io::Result<()>| r.map_err(io::Error::from);
    vec![
        attempt("read a file", std::fs::File::open("/etc/hostname")),
        attempt("read a password file", std::fs::read("/etc/passwd")),
        attempt("list a folder", std::fs::read_dir("/")),
        attempt("look at a file", std::fs::metadata("/etc/passwd")),
        attempt("write a file", std::fs::write(&elsewhere, b"free")),
        attempt("make a folder", std::fs::create_dir(&elsewhere)),
        attempt("read its own memory map", std::fs::read("/proc/self/maps")),
        attempt("open a device", std::fs::File::open("/dev/null")),
        attempt("open a TCP socket", std::net::TcpListener::bind("127.0.0.1:0")),
        attempt("open a UDP socket", std::net::UdpSocket::bind("127.0.0.1:0")),
        attempt("open a local socket", std::os::unix::net::UnixStream::pair()),
        attempt("run a program", Command::new("/bin/true").spawn()),
        attempt("signal its parent", rustix(signal(parent))),
        attempt("raise a limit", rustix(raise_limit())),
        attempt("make a pipe", io::pipe()),
    ]
}

/// Asks whether a process could be sent a signal.
fn signal(process: u32) -> rustix::io::Result<()> {
    let pid = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::test_kill_process(pid.ok_or(rustix::io::Errno::INVAL)?)
}

fn raise_limit() -> rustix::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Fsize, Rlimit { current: Some(0), maximum: Some(0) })
}
