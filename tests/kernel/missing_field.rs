//! A kernel that lacks something: of a field only what needs it is missing, of a call there is nothing to see, and both are said in words.
//! The description of this machine's kernel is copied, and one name taken out of it.

use std::fs;

use agent::coverage::Coverage;
use agent::kernel::{HookState, Kernel, KernelConfig};

use crate::watch::{allowed, config, folder, watch};

/// The hooks of a kernel without members of this name; nothing where no program can be loaded.
fn check(member: &str) -> Option<Vec<HookState>> {
    if !allowed() {
        println!("skipped: needs root and BPF");
        return None;
    }
    let (_kept, folder) = folder();
    let mut types = fs::read("/sys/kernel/btf/vmlinux").expect("the kernel describes its types");
    let name = [b"\0", member.as_bytes(), b"\0"].concat();
    // Names stand behind the types, once each.
    let at = types.windows(name.len()).rposition(|bytes| bytes == name).expect("the kernel has the member");
    types[at + 1] = b'?';
    let described = folder.join("types");
    fs::write(&described, types).expect("write a file of our own");
    let kernel = Kernel::load(&KernelConfig { types: described, ..config() }).expect("the maps are made");
    Some(kernel.hooks().to_vec())
}

fn hook<'a>(hooks: &'a [HookState], name: &str) -> &'a HookState {
    hooks.iter().find(|hook| hook.name == name).expect("a hook of the table")
}

#[test]
fn a_field_of_sockets_that_is_missing_costs_only_what_is_told_of_sockets() {
    let Some(hooks) = check("inet_sport") else { return };
    let tcp = hook(&hooks, "tcp");
    assert!(!tcp.attached, "{tcp:?}");
    assert!(tcp.refusal().contains("this kernel has no inet_sock.inet_sport"), "{}", tcp.refusal());
    for name in ["fork", "exec", "exit", "open", "credentials", "mount"] {
        assert!(hook(&hooks, name).attached, "{:?}", hook(&hooks, name));
    }
}

#[test]
fn without_the_field_that_says_which_process_no_process_is_told_and_the_node_is_not_ready() {
    let Some(hooks) = check("tgid") else { return };
    for name in ["fork", "exec", "exit"] {
        assert!(!hook(&hooks, name).attached, "{name}");
    }
    let lacks = Coverage::new(&hooks).lacks();
    let said = "exec has no hook: not by tracepoint sched_process_exec: this kernel has no task_struct.tgid";
    assert!(lacks.iter().any(|lack| lack == said), "{lacks:?}");
}

#[test]
fn a_hook_without_a_program_is_never_granted_and_absent_only_where_no_place_is_there() {
    let Some(watch) = watch() else { return };
    for hook in watch.kernel.hooks() {
        assert!(!hook.attached || !hook.programs.is_empty(), "{hook:?}");
        let places = hook.refusals.iter().filter(|refusal| !refusal.program.is_empty());
        let none_there =
            hook.programs.is_empty() && places.clone().count() > 0 && places.clone().all(|it| it.is_absent);
        assert_eq!(!hook.absent.is_empty(), none_there, "{hook:?}");
    }
    // A kernel that shows its calls shows these two or has neither.
    let module = hook(watch.kernel.hooks(), "module");
    let cannot = fs::metadata("/proc/modules").is_err();
    assert_eq!(module.absent == "this kernel cannot load modules", cannot, "{module:?}");
}
