//! `cargo xtask test`: everything that says whether the project is sound. Takes the checkout as it is; gives one line a step, the
//! list of what could not run here, and the counts. A step that fails does not stop the steps that can still tell something.

pub(crate) mod count;
mod fuzz;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::build::{self, Program};
use crate::kernels::baseline::{self, Baseline};
use crate::kernels::said;
use crate::machine::Machine;
use crate::place::{self, Place};
use crate::setup::{self, Scope};
use crate::step::{Step, tail};
use crate::{ebpf, kernels, tidy};
use count::{Count, Skip};

/// Test programs that touch the kernel: one test at a time, after everything else.
const ON_THE_KERNEL: &[&str] = &[KERNEL_TESTS, "stories"];

/// The tests of the kernel programs alone.
const KERNEL_TESTS: &str = "kernel";

/// The reason of a test that is ignored because another test starts it, in another place.
pub(crate) const RUN_BY_ANOTHER: &str = "run by another test";

/// No test program takes longer unless it hangs.
const LONGEST: Duration = Duration::from_mins(15);

/// What was done so far.
struct Run<'a> {
    place: &'a Place,
    keep_costs: bool,
    count: Count,
    times: Vec<(String, Duration, bool)>,
}

/// Runs fuzz targets alone; gives whether none failed.
pub(crate) fn fuzz(place: &Place, only: &[String], seconds: u64) -> Result<bool> {
    Ok(fuzz::run(place, only, seconds)?.failed == 0)
}

/// Runs all steps; gives whether none failed.
pub(crate) fn run(place: &Place, fuzz_seconds: u64, keep_costs: bool) -> Result<bool> {
    let started = Instant::now();
    let mut run = Run { place, keep_costs, count: Count::default(), times: Vec::new() };
    run.set_up()?;
    let built = run.timed("kernel programs", ebpf::build);
    run.formatted();
    run.timed("tidy", |place| {
        let step = Step::begin(&place.logs(), "tidy")?;
        let files = tidy::check(&place.root)?;
        step.end(&format!("{files} files"));
        Ok(())
    });
    if built {
        run.lints();
        run.tests()?;
        run.other_kernels()?;
        if fuzz_seconds > 0 {
            let begin = Instant::now();
            let count = fuzz::run(place, &[], fuzz_seconds)?;
            run.times.push(("fuzz".to_owned(), begin.elapsed(), count.failed == 0));
            run.count.add(count);
        }
    }
    Ok(run.summary(started.elapsed()))
}

impl Run<'_> {
    /// What the stories start; without it they are skipped, and everything else can still be tested.
    fn set_up(&mut self) -> Result<()> {
        let begin = Instant::now();
        for one in setup::bring(self.place, Scope::Start)? {
            let why = format!("{} ({})", one.what, one.remedy);
            self.count.skipped.push(Skip { test: "setup".to_owned(), why });
        }
        self.times.push(("setup".to_owned(), begin.elapsed(), true));
        Ok(())
    }

    /// A step that passes or fails as a whole; gives which.
    fn timed(&mut self, title: &str, work: impl FnOnce(&Place) -> Result<()>) -> bool {
        let begin = Instant::now();
        let result = work(self.place);
        let success = result.is_ok();
        if let Err(error) = result {
            eprintln!("{title}: failed\n{error:#}");
        }
        self.times.push((title.to_owned(), begin.elapsed(), success));
        self.count.add(Count::one(success));
        success
    }

    fn command(&mut self, title: &str, command: &mut Command) {
        self.timed(title, |place| {
            let step = Step::begin(&place.logs(), title)?;
            step.run(command)?;
            step.end("ok");
            Ok(())
        });
    }

    fn formatted(&mut self) {
        self.command("format: workspace", &mut build::cargo(self.place, &["fmt", "--all", "--check"]));
        let mut kernel = Command::new(place::cargo());
        kernel.args(["fmt", "--check"]).current_dir(self.place.root.join("ebpf"));
        self.command("format: kernel programs", &mut kernel);
    }

    fn lints(&mut self) {
        let mut kernel = ebpf::cargo(self.place, Machine::HERE, "clippy");
        self.command("clippy: kernel programs", kernel.args(["--", "-D", "warnings"]));
        let workspace = ["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"];
        self.command("clippy: workspace", &mut build::cargo(self.place, &workspace));
    }

    /// Builds every test program at once, so that all share one set of features, and starts them one after the other.
    fn tests(&mut self) -> Result<()> {
        let mut programs = Vec::new();
        let mut told = Vec::new();
        let built = self.timed("build: tests", |place| {
            let step = Step::begin(&place.logs(), "build: tests")?;
            let mut command = build::cargo(place, &["build", "--workspace", "--exclude", "fuzz", "--bins", "--tests"]);
            programs = build::programs(&step, &mut command)?;
            told = build::surroundings(place, &programs)?;
            step.end(&format!("{} programs", programs.len()));
            Ok(())
        });
        if !built {
            return Ok(());
        }
        let on_the_kernel = |program: &&Program| ON_THE_KERNEL.contains(&program.name.as_str());
        let tests: Vec<&Program> = programs.iter().filter(|program| program.test).collect();
        for program in tests.iter().filter(|program| !on_the_kernel(program)) {
            self.program(program, &told)?;
        }
        self.documentation()?;
        for program in ON_THE_KERNEL.iter().filter_map(|name| tests.iter().find(|program| program.name == *name)) {
            self.program(program, &told)?;
        }
        Ok(())
    }

    fn program(&mut self, program: &Program, told: &[(&'static str, PathBuf)]) -> Result<()> {
        let mut command = Command::new(&program.path);
        command
            .arg("--show-output")
            .current_dir(&program.folder)
            .env("CARGO_MANIFEST_DIR", &program.folder)
            // A golden file that differs is a failure to look at, and nothing is written into the checkout.
            .env("INSTA_UPDATE", "no")
            .envs(told.iter().map(|(name, path)| (name, path)));
        if ON_THE_KERNEL.contains(&program.name.as_str()) {
            command.arg("--test-threads=1");
        }
        let package = program.folder.strip_prefix(&self.place.root).unwrap_or(&program.folder);
        let printed = self.harness(&format!("test: {} {}", package.display(), program.name), &mut command)?;
        if program.name == KERNEL_TESTS { self.costs(&printed) } else { Ok(()) }
    }

    /// Holds what the kernel programs cost this machine's verifier against what they may cost.
    fn costs(&mut self, printed: &str) -> Result<()> {
        let costs = said::costs(printed);
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("read the kernel's release")?;
        let line = baseline::line_of(release.trim());
        let mut baseline = Baseline::read(&self.place.root)?;
        if self.keep_costs {
            return baseline.keep(&line, &costs);
        }
        if costs.is_empty() || !baseline.knows(&line) {
            let why = format!("what the programs cost Linux {line}, of which ebpf/verifier.toml says nothing");
            self.count.skipped.push(Skip { test: "verifier".to_owned(), why });
            return Ok(());
        }
        let wrong = baseline.judge(&line, &costs);
        for wrong in &wrong {
            eprintln!("{wrong}");
        }
        self.count.add(Count::one(wrong.is_empty()));
        Ok(())
    }

    /// The kernel tests on other kernels than this machine's.
    fn other_kernels(&mut self) -> Result<()> {
        let begin = Instant::now();
        let count = kernels::in_the_tests(self.place)?;
        self.times.push(("kernels".to_owned(), begin.elapsed(), count.failed == 0));
        self.count.add(count);
        Ok(())
    }

    fn documentation(&mut self) -> Result<()> {
        self.harness("test: documentation", &mut build::cargo(self.place, &["test", "--workspace", "--doc"])).map(drop)
    }

    /// Runs something that prints as Rust's test harness does; gives what it printed.
    fn harness(&mut self, title: &str, command: &mut Command) -> Result<String> {
        let step = Step::begin(&self.place.logs(), title)?;
        let printed = step.run_within(command, LONGEST)?;
        let count = count::count(&printed.text, printed.success);
        if !printed.success {
            eprintln!("{}", tail(&printed.text));
        }
        let skipped = count.skipped.len();
        let took = step.end(&format!("{} passed, {} failed, {skipped} skipped", count.passed, count.failed));
        self.times.push((title.to_owned(), took, count.failed == 0));
        self.count.add(count);
        Ok(printed.text)
    }

    fn summary(&self, took: Duration) -> bool {
        println!("\n{:>9}  step", "seconds");
        for (title, took, success) in &self.times {
            println!("{:>9.1}  {title}{}", took.as_secs_f64(), if *success { "" } else { "  FAILED" });
        }
        println!("{:>9.1}  all", took.as_secs_f64());
        if !self.count.skipped.is_empty() {
            println!();
        }
        for skip in &self.count.skipped {
            println!("skipped: {}: {}", if skip.test.is_empty() { "a test" } else { &skip.test }, skip.why);
        }
        println!("\n{} passed, {} failed, {} skipped", self.count.passed, self.count.failed, self.count.skipped.len());
        self.count.failed == 0
    }
}
