//! `mayfly-agent check`: what would happen if the agent started here. Takes the configuration; loads the kernel programs, looks at
//! which hooks this kernel grants, unloads them, and asks who the container runtimes are. Reads no record, writes no log.

use std::fmt;

use serde::Serialize;

use super::{RunError, parts};
use crate::config::Config;
use crate::kernel::Kernel;

/// What this machine and this configuration allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The node's name.
    pub node: String,
    /// The running kernel.
    pub kernel: String,
    /// Rules that would run.
    pub rules: usize,
    /// Indicators that were loaded.
    pub indicators: usize,
    /// Sensitive paths that would be watched.
    pub sensitive_paths: usize,
    /// Where events would go; empty: nowhere.
    pub collector: String,
    /// Each container runtime that would be asked for names.
    pub runtimes: Vec<CheckedRuntime>,
    /// What would not be recorded while the agent is away, and why; empty: all would.
    pub not_kept: Vec<String>,
    /// Each hook.
    pub hooks: Vec<CheckedHook>,
    /// Why no kernel program could be loaded at all; empty where they could.
    pub refusal: String,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedHook {
    /// As in the table of hooks.
    pub name: String,
    /// What it tells about.
    pub noun: String,
    /// By which way into the kernel; `none` where no way is granted.
    pub tier: String,
    /// Whether this kernel grants it.
    pub attached: bool,
    /// What this kernel cannot do at all, so that there is nothing to see; empty elsewhere.
    pub absent: String,
    /// The programs that would be in the kernel for it.
    pub programs: Vec<String>,
    /// What is not granted: better ways, and places that this kernel does not have; each in the kernel's words.
    pub refusals: Vec<String>,
}

/// One container runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedRuntime {
    /// Its socket.
    pub socket: String,
    /// What it calls itself, with its version; empty where nobody answers.
    pub name: String,
    /// Why not.
    pub refusal: String,
}

impl Check {
    /// Whether processes would be seen: without them nothing else has an owner.
    pub fn is_able(&self) -> bool {
        self.hooks.iter().any(|hook| hook.noun == "process" && hook.attached)
    }
}

/// Tries everything and leaves nothing behind.
pub fn check(config: &Config) -> Result<Check, RunError> {
    let engine = parts::engine(config)?;
    let sensitive = parts::sensitive(config)?;
    parts::hash_secret(config)?;
    let (hooks, refusal) = match Kernel::load(&parts::kernel_config(config, &sensitive, &engine)) {
        Ok(kernel) => (kernel.hooks().iter().map(hook).collect(), String::new()),
        Err(error) => (Vec::new(), crate::deliver::chain(&error)),
    };
    Ok(Check {
        node: config.node.clone(),
        kernel: parts::kernel_release(),
        rules: engine.rules().len(),
        indicators: super::indicators::read(config)?.indicators().len(),
        sensitive_paths: sensitive.patterns().len(),
        runtimes: runtimes(config)?,
        collector: config.collector.as_ref().map(|collector| collector.endpoint.clone()).unwrap_or_default(),
        not_kept: crate::kernel::would_keep(&config.kernel.pins).err().into_iter().collect(),
        hooks,
        refusal,
    })
}

fn runtimes(config: &Config) -> Result<Vec<CheckedRuntime>, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| RunError::Start("the runtime", cause))?;
    let ask = |socket: &std::path::PathBuf| {
        let answer = runtime.block_on(crate::origin::runtime::who(socket, config.runtimes.timeout));
        let (name, refusal) = match answer {
            Ok(name) => (name, String::new()),
            Err(why) => (String::new(), why),
        };
        CheckedRuntime { socket: socket.display().to_string(), name, refusal }
    };
    Ok(config.runtimes.sockets.iter().map(ask).collect())
}

fn hook(state: &crate::kernel::HookState) -> CheckedHook {
    CheckedHook {
        name: state.name.to_owned(),
        noun: state.noun.to_owned(),
        tier: state.tier.to_owned(),
        attached: state.attached,
        absent: state.absent.to_owned(),
        programs: state.programs.iter().map(|&name| name.to_owned()).collect(),
        refusals: state.refusals.iter().map(ToString::to_string).collect(),
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collector = if self.collector.is_empty() { "none: events stay in the log" } else { &self.collector };
        writeln!(out, "node       {}", self.node)?;
        writeln!(out, "kernel     {}", self.kernel)?;
        writeln!(out, "collector  {collector}")?;
        writeln!(out, "rules      {}", self.rules)?;
        writeln!(out, "indicators {}", self.indicators)?;
        writeln!(out, "sensitive  {} paths", self.sensitive_paths)?;
        for runtime in &self.runtimes {
            let CheckedRuntime { socket, name, refusal } = runtime;
            let who = if name.is_empty() { format!("none: {refusal}") } else { format!("{name} at {socket}") };
            writeln!(out, "runtime    {who}")?;
        }
        for what in &self.not_kept {
            writeln!(out, "away       nothing is recorded: {what}")?;
        }
        if !self.refusal.is_empty() {
            return writeln!(out, "hooks      none: {}", self.refusal);
        }
        for hook in &self.hooks {
            let (granted, what) = match hook.absent.as_str() {
                "" if hook.attached => ("granted", hook.programs.join(", ")),
                "" => ("refused", hook.programs.join(", ")),
                absent => ("absent ", absent.to_owned()),
            };
            writeln!(out, "{granted}    {:<10} {:<12} {:<12} {what}", hook.noun, hook.tier, hook.name)?;
            for refusal in &hook.refusals {
                writeln!(out, "           {:<10} {refusal}", "")?;
            }
        }
        Ok(())
    }
}
