//! Finds the object with the kernel programs for the machine that is built for, and tells the compiler where it is, as
//! `MAYFLY_BPF_OBJECT`. Takes that variable from the environment, else looks where `cargo xtask ebpf` puts the object. Never builds it: that needs tools that a plain `cargo build` must not install.

use std::env;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "MAYFLY_BPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let machine = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo tells a build script what is built for");
    let below = format!("mayfly/bpf/{machine}/mayfly.o");
    let object = env::var_os(VARIABLE).map_or_else(|| from_target(&below), |given| Some(PathBuf::from(given)));
    if let Some(object) = object.filter(|object| object.is_file()) {
        println!("cargo::rerun-if-changed={}", object.display());
        println!("cargo::rustc-env={VARIABLE}={}", object.display());
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
