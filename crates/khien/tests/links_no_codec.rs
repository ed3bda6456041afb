//! `khien` itself links no C codec: those are in `khien-pixels`, which is caged.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

/// The libraries whose names, as the dynamic linker reads them, stand in a program.
fn libraries(program: &[u8]) -> Vec<String> {
    let names = program.split(|b| *b == 0).filter(|s| s.starts_with(b"lib") && s.len() < 64);
    let names = names.filter_map(|s| std::str::from_utf8(s).ok());
    names.filter(|s| s.contains(".so")).map(str::to_owned).collect()
}

#[test]
fn khien_needs_no_library_of_ffmpeg() {
    let khien = std::fs::read(env!("CARGO_BIN_EXE_khien")).unwrap();
    let found = libraries(&khien);
    assert!(found.iter().any(|l| l == "libc.so.6"), "names are found where they are: {found:?}");
    for codec in ["libav", "libsw", "libx26", "libpostproc"] {
        assert!(!found.iter().any(|l| l.starts_with(codec)), "{found:?}");
    }
}
