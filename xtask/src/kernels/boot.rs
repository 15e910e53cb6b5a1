//! One start of a kernel in QEMU: no network, no disk, two processors, a serial console. Takes a kernel and its root; gives all that
//! it printed. Emulated, because a machine that is itself virtual may have nothing better: slow, and the same everywhere.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::release::Kernel;
use crate::step::Step;

const EMULATOR: &str = "qemu-system-x86_64";

/// Without the instruction that QEMU 7.2 emulates wrong (it destroys the flags, and kernels since 5.17 die of that now and then).
const PROCESSOR: &str = "qemu64,-cx16";

/// A kernel that has not powered off by then hangs.
const LONGEST: Duration = Duration::from_mins(10);

/// Every security module that hooks may share the kernel with, and the one that they are.
pub(super) const MODULES: &str = "lsm=lockdown,capability,landlock,yama,apparmor,bpf";

/// Starts a kernel with these words on its command line, and waits until it powers off.
pub(super) fn boot(step: &Step, kernel: &Kernel, root: &[u8], words: &str) -> Result<String> {
    let archive = kernel.image.with_file_name("mayfly.cpio");
    fs::write(&archive, root).with_context(|| format!("write {}", archive.display()))?;
    // A panic prints in spite of it. The tests of ciphers would take as long as ours.
    let line = format!("console=ttyS0 quiet loglevel=1 panic=-1 cryptomgr.notests {words}");
    let printed = step.run_within(&mut emulator(&kernel.image, &archive, &line), LONGEST)?;
    fs::remove_file(&archive).with_context(|| format!("remove {}", archive.display()))?;
    Ok(printed.text)
}

fn emulator(image: &Path, archive: &Path, line: &str) -> Command {
    let mut command = Command::new(EMULATOR);
    command
        .args(["-accel", "tcg", "-cpu", PROCESSOR, "-smp", "2", "-m", "1G"])
        .args(["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel"])
        .arg(image)
        .arg("-initrd")
        .arg(archive)
        .args(["-append", line]);
    command
}
