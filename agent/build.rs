//! Finds the objects with the kernel programs and their gates for the machine that is built for, and tells the compiler where they are, as
//! `MAYFLY_BPF_OBJECT` and `MAYFLY_GATE_OBJECT`. Takes the first from the environment, else looks where `cargo xtask ebpf` puts it; the other
//! is `gate.o` beside it. Never builds them: that needs tools that a plain `cargo build` must not install.

use std::env;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "MAYFLY_BPF_OBJECT";
const GATE_VARIABLE: &str = "MAYFLY_GATE_OBJECT";
const GATE: &str = "gate.o";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let machine = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo tells a build script what is built for");
    let below = format!("mayfly/bpf/{machine}/mayfly.o");
    let object = env::var_os(VARIABLE).map_or_else(|| from_target(&below), |given| Some(PathBuf::from(given)));
    let both = object.map(|object| (object.with_file_name(GATE), object));
    if let Some((gate, object)) = both.filter(|(gate, object)| gate.is_file() && object.is_file()) {
        for (variable, object) in [(VARIABLE, object), (GATE_VARIABLE, gate)] {
            println!("cargo::rerun-if-changed={}", object.display());
            println!("cargo::rustc-env={variable}={}", object.display());
        }
    } else {
        println!("cargo::rerun-if-changed={below}");
        println!(
            "cargo::error=the kernel programs are not built: run `cargo xtask ebpf --arch {machine}`, or name their object in {VARIABLE}"
        );
    }
}

/// Cargo gives `<target>/[<triple>/]<profile>/build/<package>/out`, wherever its target directory is.
fn from_target(below: &str) -> Option<PathBuf> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    out.ancestors().skip(1).take(6).map(|folder: &Path| folder.join(below)).find(|object| object.is_file())
}
