//! `cargo xtask kernels`: the kernel tests on other kernels than this machine's. Takes Debian's kernels and the built tests; gives,
//! for each kernel, what passed, which hook came in by which tier, and what the programs cost there.

mod archive;
mod boot;
mod guest;
mod matrix;
mod module;
mod release;
mod said;

use anyhow::{Result, bail};

use crate::build;
use crate::ebpf;
use crate::place::Place;
use crate::setup::{self, Missing, Scope};
use crate::step::{Step, tail};
use crate::test::count::{self, Count};
use boot::MODULES;
use guest::Tested;
use release::{RELEASES, Release};
use said::Said;

/// What is asked for.
pub(crate) struct Wanted {
    /// Names of releases; none: all.
    pub(crate) only: Vec<String>,
    /// Parts of tests' names; none: all tests.
    pub(crate) tests: Vec<String>,
    /// More words of the kernel's command line; those that it does not know are variables of `init.sh`.
    pub(crate) words: Vec<String>,
    pub(crate) json: bool,
}

/// What one kernel gave.
struct Tried {
    name: &'static str,
    said: Said,
    count: Count,
}

/// The last test says what was told and what it cost: it is part of every choice of tests.
const LAST: &str = "what_it_took";

/// Tries the kernels and prints the matrix; gives whether no test failed.
pub(crate) fn run(place: &Place, wanted: &Wanted) -> Result<bool> {
    ebpf::build(place)?;
    setup::require(&setup::bring(place, Scope::Kernels)?)?;
    if let Some(unknown) = wanted.only.iter().find(|name| RELEASES.iter().all(|release| release.name != **name)) {
        bail!("no kernel {unknown}; there are {}", RELEASES.iter().map(|one| one.name).collect::<Vec<_>>().join(", "));
    }
    let step = Step::begin(&place.logs(), "build: kernel tests")?;
    let arguments = ["build", "-p", "tests", "-p", "agent", "--bin", "mayfly-agent", "--test", "kernel"];
    let programs = build::programs(&step, &mut build::cargo(place, &arguments))?;
    let tested = Tested::new(place, &step, &programs)?;
    step.end("built");
    let mut tried = Vec::new();
    for release in
        RELEASES.iter().filter(|one| wanted.only.is_empty() || wanted.only.iter().any(|name| name == one.name))
    {
        match try_one(place, &tested, release, wanted)? {
            Ok(one) => tried.push(one),
            Err(missing) => bail!("{}: {}", missing.what, missing.remedy),
        }
    }
    if wanted.json {
        matrix::print_json(&tried)?;
    } else {
        print!("{}", matrix::table(&tried));
    }
    Ok(tried.iter().all(|one| one.count.failed == 0))
}

/// One kernel; the inner error is a kernel that cannot be had.
fn try_one(place: &Place, tested: &Tested, release: &Release, wanted: &Wanted) -> Result<Result<Tried, Missing>> {
    let step = Step::begin(&place.logs(), &format!("kernel {}", release.name))?;
    let kernel = match release::bring(place, &step, release) {
        Ok(kernel) => kernel,
        Err(error) => {
            step.end("cannot be had");
            let remedy = format!("{error:#}");
            return Ok(Err(Missing::new(format!("kernel {}", release.name), remedy)));
        }
    };
    let mut filters = wanted.tests.clone();
    if !filters.is_empty() {
        filters.push(LAST.to_owned());
    }
    let words = [MODULES, &wanted.words.join(" ")].join(" ");
    let console = boot::boot(&step, &kernel, &guest::root(tested, &kernel, &filters)?, &words)?;
    let said = said::read(&console);
    let count = count::count(&said.tests, said.status == Some(0));
    if count.failed > 0 {
        eprintln!("{}", tail(if said.tests.is_empty() { &console } else { &said.tests }));
    }
    let (skipped, release) = (count.skipped.len(), &said.release);
    step.end(&format!("{release}: {} passed, {} failed, {skipped} skipped", count.passed, count.failed));
    Ok(Ok(Tried { name: kernel.name, said, count }))
}
