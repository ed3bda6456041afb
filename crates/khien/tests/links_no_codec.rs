//! `khien` itself links no C codec: those are in `khien-pixels`, which is caged.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

/// Whether a name, as the dynamic linker reads it, stands in a program.
fn names(program: &[u8], library: &str) -> bool {
    program.windows(library.len()).any(|w| w == library.as_bytes())
}

#[test]
fn khien_needs_no_library_of_ffmpeg() {
    let khien = std::fs::read(env!("CARGO_BIN_EXE_khien")).unwrap();
    assert!(names(&khien, "libc.so.6"), "names of libraries are found where they are");
    let codecs = ["libavcodec", "libavformat", "libavutil", "libavdevice", "libswscale", "libx264"];
    for library in codecs {
        assert!(!names(&khien, &format!("{library}.so")), "khien links {library}");
    }
}
