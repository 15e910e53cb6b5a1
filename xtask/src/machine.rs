//! The machines that Mayfly runs on, as each tool calls them. Takes the one that is meant; gives names, and the programs that build for
//! it here: those of this machine itself, or GNU's for another.

use std::process::Command;

use clap::ValueEnum;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64")]
    Aarch64,
}

impl Machine {
    /// The one that this program runs on.
    pub(crate) const HERE: Self = if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 };

    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// As the compiler and the kernel call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// As Debian calls it.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// As the compiler calls Linux on it.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// As GNU's tools and the folders of libraries call Linux on it.
    pub(crate) fn gnu(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-gnu",
            Self::Aarch64 => "aarch64-linux-gnu",
        }
    }

    /// One of GNU's tools, for programs of that machine.
    pub(crate) fn tool(self, name: &str) -> String {
        if self == Self::HERE { name.to_owned() } else { format!("{}-{name}", self.gnu()) }
    }

    /// Lets a cargo command build for that machine.
    pub(crate) fn build_for(self, command: &mut Command) {
        if self == Self::HERE {
            return;
        }
        let target = self.target().replace('-', "_");
        let (compiler, archiver) = (self.tool("gcc"), self.tool("ar"));
        command
            .args(["--target", self.target()])
            .env(format!("CARGO_TARGET_{}_LINKER", target.to_uppercase()), &compiler)
            .env(format!("CC_{target}"), &compiler)
            .env(format!("AR_{target}"), &archiver);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_for_this_machine_is_an_ordinary_one_and_for_another_names_its_tools() {
        for machine in Machine::ALL {
            let mut command = Command::new("cargo");
            machine.build_for(&mut command);
            let given: Vec<_> = command.get_args().collect();
            if machine == Machine::HERE {
                assert!(given.is_empty(), "{given:?}");
                assert_eq!(machine.tool("strip"), "strip");
            } else {
                assert_eq!(given, ["--target", machine.target()]);
                assert_eq!(machine.tool("strip"), format!("{}-linux-gnu-strip", machine.name()));
                assert_eq!(command.get_envs().count(), 3);
            }
        }
    }
}
