//! Hosts that withhold something: which module of security, which tree of cgroups, which power, which description of itself. Takes the
//! agent's check as each of them answers it; says what is wrong with it. What is withheld must be said in words, and cost no more than
//! what needs it.

use anyhow::{Result, ensure};

use super::boot::MODULES;
use super::said::{Check, Hook};

/// One such host.
pub(crate) struct Host {
    /// As it is asked for and printed.
    pub(crate) name: &'static str,
    /// The kernel's command line: its own words, and variables of `init.sh`.
    pub(super) words: &'static str,
    /// What the agent must say there.
    pub(super) holds: fn(&Check) -> Result<()>,
}

/// The kernel that they all run.
pub(super) const RELEASE: &str = "6.1";

pub(crate) const HOSTS: &[Host] = &[
    Host { name: "without-bpf-lsm", words: "lsm=lockdown,capability,landlock,yama,apparmor", holds: without_bpf_lsm },
    Host { name: "lockdown-integrity", words: "lockdown=integrity lsm=lockdown,capability,bpf", holds: all_granted },
    Host {
        name: "lockdown-confidentiality",
        words: "lockdown=confidentiality lsm=lockdown,capability,bpf",
        holds: nothing_is_read,
    },
    Host { name: "without-types", words: "mayfly_hide=/sys/kernel/btf", holds: without_types },
    Host {
        name: "without-sys-resource",
        words: "\"mayfly_without=/usr/bin/setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource\"",
        holds: all_granted,
    },
    Host { name: "cgroups-hybrid", words: "mayfly_cgroups=hybrid", holds: all_granted },
    Host { name: "cgroups-v1", words: "mayfly_cgroups=v1", holds: version_one_alone },
];

impl Host {
    /// The whole command line: the modules of security that stand everywhere else, unless it has its own.
    pub(super) fn line(&self) -> String {
        if self.words.contains("lsm=") { self.words.to_owned() } else { format!("{MODULES} {}", self.words) }
    }
}

fn all_granted(check: &Check) -> Result<()> {
    ensure!(check.refusal.is_empty(), "nothing at all is granted: {}", check.refusal);
    let missing = names(check, |hook| hook.tier == "none");
    ensure!(missing.is_empty(), "no way for {missing}");
    Ok(())
}

fn without_bpf_lsm(check: &Check) -> Result<()> {
    all_granted(check)?;
    let by_lsm = names(check, |hook| hook.tier == "lsm");
    ensure!(by_lsm.is_empty(), "by a module that is not active: {by_lsm}");
    said(check, "unlink", "bpf is not among the active security modules")?;
    let unlink = hook(check, "unlink")?;
    ensure!(unlink.tier == "fentry", "unlink comes by {} and not by the next best way", unlink.tier);
    Ok(())
}

/// There no program may read the kernel's memory, and none of ours can work without.
fn nothing_is_read(check: &Check) -> Result<()> {
    let granted = names(check, |hook| hook.noun == "process" && hook.attached);
    ensure!(granted.is_empty(), "granted without reading the kernel's memory: {granted}");
    if check.refusal.is_empty() {
        return said(check, "exec", "");
    }
    Ok(())
}

fn without_types(check: &Check) -> Result<()> {
    let granted = names(check, |hook| hook.attached);
    ensure!(granted.is_empty(), "granted without the kernel's types: {granted}");
    let words = check.hooks.iter().flat_map(|hook| &hook.refusals).chain([&check.refusal]);
    ensure!(
        words.into_iter().any(|words| words.contains("/sys/kernel/btf/vmlinux")),
        "the file is not named: {check:?}"
    );
    Ok(())
}

/// What hangs at the tree of cgroups has no place to hang; nothing else may miss.
fn version_one_alone(check: &Check) -> Result<()> {
    const OF_THE_TREE: [&str; 4] = ["datagram", "payload", "sysctl", "quarantine"];
    ensure!(check.refusal.is_empty(), "nothing at all is granted: {}", check.refusal);
    let missing = names(check, |hook| hook.tier == "none" && !OF_THE_TREE.contains(&hook.name.as_str()));
    ensure!(missing.is_empty(), "no way for {missing}");
    said(check, "datagram", "")
}

/// The hook is refused, in words that hold these.
fn said(check: &Check, name: &str, words: &str) -> Result<()> {
    let hook = hook(check, name)?;
    let found = hook.refusals.iter().any(|refusal| !refusal.is_empty() && refusal.contains(words));
    ensure!(found, "{name} does not say why: {:?}", hook.refusals);
    Ok(())
}

fn hook<'a>(check: &'a Check, name: &str) -> Result<&'a Hook> {
    let found = check.hooks.iter().find(|hook| hook.name == name);
    found.ok_or_else(|| anyhow::anyhow!("no hook is called {name}"))
}

fn names(check: &Check, which: impl Fn(&Hook) -> bool) -> String {
    let found = check.hooks.iter().filter(|hook| which(hook)).map(|hook| hook.name.as_str());
    found.collect::<Vec<_>>().join(", ")
}
