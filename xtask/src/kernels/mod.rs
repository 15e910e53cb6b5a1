//! `cargo xtask kernels`: the kernel tests on other kernels than this machine's. Takes Debian's kernels and the built tests; gives,
//! for each kernel, what passed, which hook came in by which tier, and what the programs cost there.

mod archive;
pub(crate) mod baseline;
mod boot;
mod guest;
mod host;
mod matrix;
mod module;
mod release;
pub(crate) mod said;
mod userland;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::machine::Machine;
use crate::place::Place;
use crate::setup::{self, Missing, Scope};
use crate::step::{Step, tail};
use crate::test::count::{self, Count, Skip};
use baseline::Baseline;
use boot::MODULES;
use guest::Tested;
use host::{HOSTS, Host};
use release::{RELEASES, Release};
use said::Said;

/// What is asked for.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Names of releases and of hosts; none: all of this machine.
    pub(crate) only: Vec<String>,
    /// Parts of tests' names; none: all tests.
    pub(crate) tests: Vec<String>,
    /// More words of the kernel's command line; those that it does not know are variables of `init.sh`.
    pub(crate) words: Vec<String>,
    /// What the programs cost the verifier is what they may cost from now on.
    pub(crate) keep_costs: bool,
    pub(crate) json: bool,
}

/// What the tests take: the oldest and the newest kernel, between which the others lie, and every host.
const IN_THE_TESTS: [&str; 2] = ["5.10", "newest"];

/// The kernel tests that are run there: each hook at work. Floods and restarts take an emulator many minutes.
const SHORT_FORM: [&str; 8] =
    ["cgroup::", "file::", "file_change::", "guard::", "kernel::", "network", "privilege::", "process::"];

/// What one kernel gave.
struct Tried {
    name: &'static str,
    said: Said,
    count: Count,
    /// What failed, in full.
    wrong: Vec<String>,
}

/// The last test says what was told and what it cost: it is part of every choice of tests.
const LAST: &str = "what_it_took";

/// What the test command runs of it; a kernel that cannot be had here is skipped.
pub(crate) fn in_the_tests(place: &Place) -> Result<Count> {
    let missing = setup::bring(place, Scope::Kernels)?;
    if !missing.is_empty() {
        let skip = |one: &Missing| Skip { test: "kernels".to_owned(), why: format!("{} ({})", one.what, one.remedy) };
        return Ok(Count { skipped: missing.iter().map(skip).collect(), ..Count::default() });
    }
    let hosts = HOSTS.iter().map(|host| host.name);
    let only = IN_THE_TESTS.into_iter().chain(hosts).map(str::to_owned).collect();
    let tests = SHORT_FORM.map(str::to_owned).to_vec();
    run(place, &Wanted { only, tests, ..Wanted::default() })
}

/// Tries the kernels and prints the matrix; gives what passed and failed.
pub(crate) fn run(place: &Place, wanted: &Wanted) -> Result<Count> {
    let names = || RELEASES.iter().map(|one| one.name).chain(HOSTS.iter().map(|one| one.name));
    if let Some(unknown) = wanted.only.iter().find(|asked| names().all(|name| name != **asked)) {
        bail!("no kernel {unknown}; there are {}", names().collect::<Vec<_>>().join(", "));
    }
    setup::require(&setup::bring(place, Scope::Kernels)?)?;
    let mut tried = Vec::new();
    for machine in Machine::ALL {
        try_machine(place, machine, wanted, &mut tried)?;
    }
    if wanted.json {
        matrix::print_json(&tried)?;
    } else {
        print!("{}", matrix::table(&tried));
    }
    let mut all = Count::default();
    for one in tried {
        all.add(one.count);
    }
    Ok(all)
}

/// The kernels of one machine that are asked for, and the hosts, which are this machine's.
fn try_machine(place: &Place, machine: Machine, wanted: &Wanted, tried: &mut Vec<Tried>) -> Result<()> {
    let asked = |name: &str| wanted.only.iter().any(|asked| asked == name);
    let all = wanted.only.is_empty() && machine == Machine::HERE;
    let releases: Vec<_> = RELEASES.iter().filter(|one| one.machine == machine && (all || asked(one.name))).collect();
    let hosts: Vec<_> = HOSTS.iter().filter(|one| machine == Machine::HERE && (all || asked(one.name))).collect();
    if releases.is_empty() && hosts.is_empty() {
        return Ok(());
    }
    let tested = build_tests(place, machine)?;
    let mut baseline = Baseline::read(&place.root)?;
    for release in releases {
        match try_one(place, &tested, release, wanted)? {
            Ok(mut one) => {
                costs(&mut one, &mut baseline, wanted.keep_costs)?;
                tried.push(one);
            }
            Err(missing) => bail!("{}: {}", missing.what, missing.remedy),
        }
    }
    for host in hosts {
        tried.push(try_host(place, &tested, host, &wanted.words)?);
    }
    Ok(())
}

/// The programs under test, and what they need, for one machine.
fn build_tests(place: &Place, machine: Machine) -> Result<Tested> {
    build::prepare(place, machine)?;
    let step = Step::begin(&place.logs(), &format!("build: kernel tests for {}", machine.name()))?;
    let arguments = ["build", "-p", "tests", "-p", "agent", "--bin", "mayfly-agent", "--test", "kernel"];
    let mut cargo = build::cargo(place, &arguments);
    machine.build_for(&mut cargo);
    let programs = build::programs(&step, &mut cargo)?;
    let tested = Tested::new(place, &step, machine, &programs)?;
    step.end("built");
    Ok(tested)
}

/// Holds what the programs cost on a kernel against what they may cost, or makes it that.
fn costs(one: &mut Tried, baseline: &mut Baseline, keep: bool) -> Result<()> {
    if keep {
        return baseline.keep(one.name, &one.said.programs);
    }
    let wrong = baseline.judge(one.name, &one.said.programs);
    one.count.failed += wrong.len();
    one.wrong.extend(wrong);
    Ok(())
}

/// One host: the agent is asked what it could see there.
fn try_host(place: &Place, tested: &Tested, host: &Host, words: &[String]) -> Result<Tried> {
    let step = Step::begin(&place.logs(), &format!("host {}", host.name))?;
    let release = RELEASES.iter().find(|one| one.name == host::RELEASE).context("the hosts' kernel")?;
    let kernel = release::bring(place, &step, release)?;
    let words = format!("{} mayfly_tests=no {}", host.line(), words.join(" "));
    let said = said::read(&boot::boot(&step, &kernel, &guest::root(tested, &kernel, &[])?, &words)?);
    let answer = said.check.as_ref().context("the agent's check printed nothing").and_then(host.holds);
    step.end(if answer.is_ok() { "as it must be" } else { "FAILED" });
    let count = Count::one(answer.is_ok());
    let wrong = answer.err().map(|wrong| format!("{wrong:#}")).into_iter().collect();
    Ok(Tried { name: host.name, said, count, wrong })
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
    let failed = (count.failed > 0).then(|| tail(if said.tests.is_empty() { &console } else { &said.tests }));
    let (skipped, release) = (count.skipped.len(), &said.release);
    step.end(&format!("{release}: {} passed, {} failed, {skipped} skipped", count.passed, count.failed));
    Ok(Ok(Tried { name: kernel.name, said, count, wrong: failed.into_iter().collect() }))
}
