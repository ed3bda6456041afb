//! Lists the files of the built web app, `web/dist`, for `src/web.rs` to embed. Without a build
//! the list is empty and the server shows a page that says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Larger than any sane build: a guard against a `dist` that is not one.
const BYTES_MAX: u64 = 64 << 20;

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let web = here.join("../../web");
    let dist = web.join("dist");
    let mut files = Vec::new();
    println!("cargo::rerun-if-changed=build.rs");
    if dist.is_dir() {
        println!("cargo::rerun-if-changed={}", dist.display());
        collect(&dist, "", &mut files)?;
    } else {
        // Its parent, because a path that does not exist would build this crate every time.
        println!("cargo::rerun-if-changed={}", web.display());
    }
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // Copies, so that the list stays true while the web app is being built again.
    let copies = out.join("web");
    fs::create_dir_all(&copies)?;
    let mut code = String::from("&[\n");
    let mut bytes = 0;
    for (n, (name, path)) in files.iter().enumerate() {
        let copy = copies.join(n.to_string());
        bytes += fs::copy(path, &copy)?;
        // Debug quotes both as Rust string literals.
        let _ = writeln!(code, "    ({name:?}, include_bytes!({copy:?})),");
    }
    code.push_str("]\n");
    if bytes > BYTES_MAX {
        return Err(io::Error::other(format!("web/dist has {bytes} bytes; at most {BYTES_MAX}")));
    }
    fs::write(out.join("web_files.rs"), code)
}

fn collect(dir: &Path, prefix: &str, out: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, out)?;
        } else if entry.file_type()?.is_file() {
            out.push((name, entry.path()));
        }
    }
    Ok(())
}
