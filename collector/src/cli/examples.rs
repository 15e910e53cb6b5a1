//! What `--help` shows below each command: lines that can be typed as they stand, with a case and a plan of one's own. Gives texts only.

/// `mayfly`.
pub(super) const ALL: &str = "Examples:
  mayfly serve --data ./data                      run a collector
  mayfly node add node-1 --out ./node-1           make a certificate for a node's agent
  mayfly cases                                    what happened
  mayfly case MF-2026-0001                        one case: findings, reasons, joins
  mayfly plan MF-2026-0001                        what would be done about it
  mayfly approve MF-2026-0001 --plan 3f9c1a2b     do it
  mayfly undo MF-2026-0001                        take it back
  mayfly report MF-2026-0001 --format html --out report.html
  mayfly evidence export MF-2026-0001 --out evidence.zip
  mayfly verify evidence.zip                      check it anywhere, offline
  mayfly rules list                               what is looked for";

pub(super) const SERVE: &str = "Examples:
  mayfly serve --data ./data                      without configuration, for this machine only
  mayfly serve --config /etc/mayfly/collector.toml --json";

pub(super) const CASES: &str = "Examples:
  mayfly cases
  mayfly cases --json | jq -r '.cases[].id'";

pub(super) const CASE: &str = "Examples:
  mayfly case MF-2026-0001
  mayfly case MF-2026-0001 --json | jq .";

pub(super) const EVENTS: &str = "Examples:
  mayfly events --node node-1 --from 2026-11-21T18:10:00Z --to 2026-11-21T18:12:00Z
  mayfly events --kind exec --container 5f5a2c0e
  mayfly events --limit 1000 --json | jq '.events[] | .tier'";

pub(super) const COMPLETENESS: &str = "Examples:
  mayfly completeness --node node-1 --from 2026-11-21T18:10:00Z --to 2026-11-21T18:12:00Z
  mayfly completeness --container 5f5a2c0e --from 2026-11-21T18:10:00Z --to 2026-11-21T18:12:00Z --json";

pub(super) const COVERAGE: &str = "Examples:
  mayfly coverage --node node-1
  mayfly coverage --node node-1 --at 2026-11-21T18:10:00Z --json | jq '.coverage.hooks[] | select(.canary != \"seen\")'";

pub(super) const PLAN: &str = "Examples:
  mayfly plan MF-2026-0001                        the newest plan, with its digest
  mayfly plan MF-2026-0001 --new                  another one, which somebody else approves";

pub(super) const APPROVE: &str = "Examples:
  mayfly approve MF-2026-0001 --plan 3f9c1a2b
  mayfly approve MF-2026-0001 --plan 3f9c1a2b --deny     it can then never be approved";

pub(super) const UNDO: &str = "Examples:
  mayfly undo MF-2026-0001                        prints a plan, which somebody else approves
  mayfly undo MF-2026-0001 --plan 3f9c1a2b";

pub(super) const REPORT: &str = "Examples:
  mayfly report MF-2026-0001
  mayfly report MF-2026-0001 --format html --out report.html";

pub(super) const EVIDENCE: &str = "Examples:
  mayfly evidence list MF-2026-0001
  mayfly evidence export MF-2026-0001 --out evidence.zip";

pub(super) const LIST: &str = "Examples:
  mayfly evidence list MF-2026-0001
  mayfly evidence list MF-2026-0001 --json | jq '.artifacts[].sha256'";

pub(super) const EXPORT: &str = "Examples:
  mayfly evidence export MF-2026-0001 --out evidence.zip";

pub(super) const VERIFY: &str = "Examples:
  mayfly verify evidence.zip                      exit status 1 where anything does not fit or is not there
  mayfly verify evidence.zip --json";

pub(super) const RULES: &str = "Examples:
  mayfly rules list --source kubernetes --level high
  mayfly rules list --rules ./sigma/rules           add a folder of rules, such as SigmaHQ's
  mayfly rules lint ./my-rules                      what is wrong, and where
  mayfly rules test --data ./labelled-events        what is found, what is missed
  mayfly rules navigator                            a layer for the ATT&CK Navigator";

pub(super) const RULES_LIST: &str = "Examples:
  mayfly rules list --technique T1552
  mayfly rules list --source entra --level medium
  mayfly rules list --rules ./sigma/rules --json | jq -r .title";

pub(super) const RULES_SHOW: &str = "Examples:
  mayfly rules show 9b4c5864                        by its id, or the first letters of it
  mayfly rules show cloud/aws/bucket_opened.yml
  mayfly rules show ./my-rules/rule.yml --json";

pub(super) const RULES_LINT: &str = "Examples:
  mayfly rules lint                                 the built-in rules
  mayfly rules lint ./my-rules ./sigma/rules        these alone
  mayfly rules lint ./sigma --placeholders lists.yml    with values for rules that ask for lists of your own
  mayfly rules lint ./my-rules --json | jq -r .message";

pub(super) const RULES_TEST: &str = "Examples:
  mayfly rules test                                 the built-in rules on their own examples
  mayfly rules test ./my-rules
  mayfly rules test --data ./labelled-events
  mayfly rules test --rules ./sigma/rules --data ./labelled-events --json
Labelled events are lines of JSON: {\"source\": \"aws.cloudtrail\", \"event\": {…}, \"expect\": {\"alert\": true}}";

pub(super) const RULES_EXPLAIN: &str = "Examples:
  mayfly rules explain event.json                   all rules that match
  mayfly rules explain --source k8s.audit -
  mayfly rules explain --rule 9b4c5864 event.json   also why this one does not match
  mayfly rules explain --rule 9b4c5864              on its own examples";

pub(super) const RULES_NAVIGATOR: &str = "Examples:
  mayfly rules navigator                            open what it prints in the Navigator: Open Existing Layer
  mayfly rules navigator --rules ./sigma/rules";

pub(super) const NODES: &str = "Examples:
  mayfly nodes
  mayfly nodes --json";

pub(super) const NODE: &str = "Examples:
  mayfly node add node-1 --out ./node-1           then copy the folder to that node";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::super::Cli;

    /// The examples of a command and of all below it.
    fn examples(command: &Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let own = help.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned);
        own.chain(command.get_subcommands().flat_map(examples)).collect()
    }

    #[test]
    fn each_example_can_be_typed_as_it_stands() {
        let examples = examples(&Cli::command());
        assert!(examples.len() > 20, "{examples:?}");
        for example in examples {
            let typed = example.split("  ").next().and_then(|line| line.split(" | ").next()).unwrap_or_default();
            let parsed = Cli::try_parse_from(typed.split_whitespace());
            assert!(parsed.is_ok(), "{example}: {}", parsed.expect_err("it was refused"));
        }
    }

    #[test]
    fn each_command_that_is_told_something_has_an_example() {
        let mut waiting = vec![Cli::command()];
        while let Some(command) = waiting.pop() {
            let asks = command.get_positionals().next().is_some();
            assert!(!asks || command.get_after_help().is_some(), "{}", command.get_name());
            waiting.extend(command.get_subcommands().cloned());
        }
    }
}
