//! One start of a kernel in QEMU: no network, no disk, two processors, a serial console. Takes a kernel and its root; gives all that
//! it printed. Emulated, because a machine that is itself virtual may have nothing better: slow, and the same everywhere.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::release::Kernel;
use crate::machine::Machine;
use crate::step::Step;

/// What is emulated of a machine, and where its console is.
struct Emulated {
    program: &'static str,
    board: &'static [&'static str],
    console: &'static str,
}

fn emulated(machine: Machine) -> Emulated {
    match machine {
        Machine::X86_64 => Emulated {
            program: "qemu-system-x86_64",
            // Without the instruction that QEMU 7.2 emulates wrong (it destroys the flags, and kernels since 5.17 die of that now and then).
            board: &["-cpu", "qemu64,-cx16"],
            console: "ttyS0",
        },
        Machine::Aarch64 => Emulated {
            program: "qemu-system-aarch64",
            // What clouds have; it knows pages of all three sizes, and signs no pointers, which would be emulated slowly.
            board: &["-machine", "virt", "-cpu", "neoverse-n1"],
            console: "ttyAMA0",
        },
    }
}

/// A kernel that has not powered off by then hangs: all tests on another machine's take half of it.
const LONGEST: Duration = Duration::from_mins(20);

/// Every security module that hooks may share the kernel with, and the one that they are.
pub(super) const MODULES: &str = "lsm=lockdown,capability,landlock,yama,apparmor,bpf";

/// Starts a kernel with these words on its command line, and waits until it powers off.
pub(super) fn boot(step: &Step, kernel: &Kernel, root: &[u8], words: &str) -> Result<String> {
    let archive = kernel.image.with_file_name("mayfly.cpio");
    fs::write(&archive, root).with_context(|| format!("write {}", archive.display()))?;
    // A panic prints in spite of it. The tests of ciphers would take as long as ours.
    let emulated = emulated(kernel.machine);
    let console = emulated.console;
    let line = format!("console={console} quiet loglevel=1 panic=-1 cryptomgr.notests {words}");
    let printed = step.run_within(&mut emulator(&emulated, &kernel.image, &archive, &line), LONGEST)?;
    fs::remove_file(&archive).with_context(|| format!("remove {}", archive.display()))?;
    Ok(printed.text)
}

fn emulator(emulated: &Emulated, image: &Path, archive: &Path, line: &str) -> Command {
    let mut command = Command::new(emulated.program);
    command
        .args(emulated.board)
        // On a thread for each processor, one now and then runs into a breakpoint by which the kernel changes its code and which is gone.
        .args(["-accel", "tcg,thread=single", "-smp", "2", "-m", "1G"])
        .args(["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel"])
        .arg(image)
        .arg("-initrd")
        .arg(archive)
        .args(["-append", line]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_is_emulated_by_its_own_program_with_the_words_it_was_given() {
        for machine in Machine::ALL {
            let command = emulator(&emulated(machine), Path::new("image"), Path::new("archive"), "a word");
            assert_eq!(command.get_program().to_string_lossy(), format!("qemu-system-{}", machine.name()));
            let given: Vec<_> = command.get_args().collect();
            for pair in
                [["-kernel", "image"], ["-initrd", "archive"], ["-append", "a word"], ["-accel", "tcg,thread=single"]]
            {
                assert!(given.windows(2).any(|two| two == pair), "{given:?}");
            }
        }
    }
}
