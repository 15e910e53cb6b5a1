//! Containers that make a sensor's life hard: one floods it, the other does a little all the time and must not be missed. Takes what and
//! how much; says how much it did.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Between two rounds of the steady one.
const PAUSE: Duration = Duration::from_millis(100);

/// So many threads do one thing so often, as fast as they can.
pub(crate) fn run(what: &str, threads: u32, times: u32) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let once = |thread: u32| -> Result<()> {
        match what {
            "opens" => drop(File::create(format!("/tmp/flood-{thread}"))?),
            // A full queue refuses some: they are told as refused.
            "connects" => drop(TcpStream::connect(address)),
            "forks" => drop(Command::new("/bin/true").status()?),
            other => bail!("no flood is called {other}"),
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let work = |thread| (0..times).try_for_each(|_| once(thread));
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        all.into_iter().try_for_each(|thread| thread.join().ok().context("a thread of the flood")?)
    })?;
    println!("flooded: {}", u64::from(threads) * u64::from(times));
    Ok(())
}

/// One program, one file and one connection in each round.
pub(crate) fn steady(rounds: u32) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    for round in 0..rounds {
        Command::new("/bin/true").status().context("start a program")?;
        drop(File::create(format!("/tmp/steady-{round}"))?);
        let outgoing = TcpStream::connect(listener.local_addr()?)?;
        drop((outgoing, listener.accept()?));
        std::thread::sleep(PAUSE);
    }
    println!("steady: {rounds}");
    Ok(())
}
