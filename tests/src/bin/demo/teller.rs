//! How the demo speaks: numbered steps with the time since the start for people, one JSON object a line for machines. Colours only on a
//! terminal.

use std::io::IsTerminal;
use std::time::Instant;

/// Tells the steps.
pub(crate) struct Teller {
    begun: Instant,
    json: bool,
    colour: bool,
}

impl Teller {
    pub(crate) fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { begun: Instant::now(), json, colour }
    }

    /// A step and what came of it.
    pub(crate) fn say(&mut self, step: &str, text: &str) {
        let seconds = self.begun.elapsed().as_secs_f32();
        if self.json {
            println!("{}", serde_json::json!({"step": step, "seconds": seconds, "text": text}));
        } else if self.colour {
            println!("\x1b[2m{seconds:6.1} s\x1b[0m  \x1b[1m{step:<12}\x1b[0m {}", indent(text));
        } else {
            println!("{seconds:6.1} s  {step:<12} {}", indent(text));
        }
    }

    /// Text as a command printed it.
    pub(crate) fn show(&mut self, command: &str, text: &str) {
        if self.json {
            println!("{}", serde_json::json!({"command": command, "printed": text}));
        } else {
            let (dim, plain) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            println!("{dim}          $ {command}{plain}");
            for line in text.trim_end().lines() {
                println!("          {line}");
            }
        }
    }
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n                       ")
}
