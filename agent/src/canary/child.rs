//! The canary itself: the agent's binary, started by the agent with the word `canary`. Takes a line for each round on standard input;
//! makes every call and answers a line for each of its records, then `end`. Ends when the agent does: its input is closed then.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use super::calls::CALLS;
use super::ground::Ground;

/// A round is asked for by one short line.
const LINE_BYTES: u64 = 64;

/// Makes rounds until standard input ends.
pub fn run(folder: &Path, cgroups: &Path) -> io::Result<()> {
    let ground = Ground::new(folder, cgroups);
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    writeln!(output, "ready")?;
    output.flush()?;
    let mut line = String::new();
    while input.by_ref().take(LINE_BYTES).read_line(&mut line)? > 0 {
        line.clear();
        let mut answer = Vec::new();
        ground.clear();
        for call in CALLS {
            let outcome = (call.make)(&ground).err().map_or_else(|| "ok".to_owned(), |error| error.to_string());
            for sight in call.sights {
                writeln!(answer, "{} {} {}", sight.hook, sight.number(), outcome.replace('\n', " "))?;
            }
        }
        ground.leave();
        writeln!(answer, "end")?;
        // At once: what is told of one call must not wait for a reader.
        output.write_all(&answer)?;
        output.flush()?;
    }
    Ok(())
}
