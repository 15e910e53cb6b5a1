//! What each action is, before it has a target: its inputs, its undo, its check, what it needs. Takes a name; gives a [`Definition`]. The
//! playbook reader, the planner and the property tests read the same table, so an action without an undo cannot slip in.

use super::action::Phase;

/// What may stand in an input of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// `{ref: …}` to one of these paths.
    Reference(&'static [&'static str]),
    /// `{duration: 10m}`.
    Duration,
}

/// One input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its key under `with`.
    pub name: &'static str,
    /// What may stand there.
    pub kind: InputKind,
}

/// How the action is taken back, whatever the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoRule {
    /// By this action, from the recorded state.
    By {
        /// Its name.
        action: &'static str,
        /// What it costs or leaves behind.
        cost: &'static str,
    },
    /// Not at all.
    Irreversible {
        /// Why not.
        reason: &'static str,
    },
}

/// One action, without a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `node.net.quarantine@1`.
    pub name: &'static str,
    /// The phase that it belongs to.
    pub phase: Phase,
    /// False: made only as the undo of another, never written in a playbook.
    pub in_playbooks: bool,
    /// What it takes.
    pub inputs: &'static [Input],
    /// How it is taken back.
    pub undo: UndoRule,
    /// Name of its check, as a playbook says it.
    pub check: &'static str,
    /// The check in a sentence.
    pub check_sentence: &'static str,
    /// It ends by itself, so a playbook must say when.
    pub lease: bool,
    /// It changes what memory, sockets or processes would still show: the evidence must be sealed before.
    pub disturbs_volatile: bool,
    /// Exactly what it needs to be allowed to do.
    pub permissions: &'static [&'static str],
}

const CONTAINERS: InputKind = InputKind::Reference(&["case.containers"]);

/// Every action that there is.
pub const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "evidence.seal@1",
        phase: Phase::Preserve,
        in_playbooks: true,
        inputs: &[Input { name: "container", kind: CONTAINERS }, Input { name: "recorder", kind: InputKind::Duration }],
        undo: UndoRule::Irreversible { reason: "it only adds evidence; nothing is changed that could be put back" },
        check: "manifest_signed",
        check_sentence: "the node's signed manifest arrives, and each artifact that it lists is stored with the hash that it says",
        lease: false,
        disturbs_volatile: false,
        permissions: &["node: order capture"],
    },
    Definition {
        name: "node.net.quarantine@1",
        phase: Phase::Contain,
        in_playbooks: true,
        inputs: &[
            Input { name: "container", kind: CONTAINERS },
            Input { name: "allow", kind: InputKind::Reference(&["situation.collector"]) },
        ],
        undo: UndoRule::By {
            action: "node.net.release@1",
            cost: "connections that were cut stay closed; the workload opens them again itself",
        },
        check: "no_egress",
        check_sentence: "the node sends a probe from inside the cgroup to a destination that is not allowed, and it does not get out",
        lease: true,
        disturbs_volatile: true,
        permissions: &["node: order quarantine"],
    },
    Definition {
        name: "node.net.release@1",
        phase: Phase::Recover,
        in_playbooks: false,
        inputs: &[],
        undo: UndoRule::By { action: "node.net.quarantine@1", cost: "the container is cut off again" },
        check: "egress_restored",
        check_sentence: "the node reads back that no quarantine is attached to the cgroup",
        lease: false,
        disturbs_volatile: false,
        permissions: &["node: order lift_quarantine"],
    },
    Definition {
        name: "aws.iam.key_deactivate@1",
        phase: Phase::Contain,
        in_playbooks: true,
        inputs: &[Input { name: "key", kind: InputKind::Reference(&["case.long_term_keys"]) }],
        undo: UndoRule::By {
            action: "aws.iam.key_restore@1",
            cost: "whoever holds the stolen secret can use it again: create a new key instead, where that is possible",
        },
        check: "status_read_back",
        check_sentence: "ListAccessKeys says Inactive for this key",
        lease: false,
        disturbs_volatile: false,
        permissions: &["iam:GetAccessKeyLastUsed", "iam:ListAccessKeys", "iam:UpdateAccessKey"],
    },
    Definition {
        name: "aws.iam.key_restore@1",
        phase: Phase::Recover,
        in_playbooks: false,
        inputs: &[],
        undo: UndoRule::By { action: "aws.iam.key_deactivate@1", cost: "whatever signs with the key fails again" },
        check: "status_read_back",
        check_sentence: "ListAccessKeys says the status that was recorded before",
        lease: false,
        disturbs_volatile: false,
        permissions: &["iam:ListAccessKeys", "iam:UpdateAccessKey"],
    },
    Definition {
        name: "aws.iam.session_revoke@1",
        phase: Phase::Contain,
        in_playbooks: true,
        inputs: &[
            Input { name: "role", kind: InputKind::Reference(&["case.session_roles"]) },
            Input { name: "issued_before", kind: InputKind::Reference(&["plan.created", "case.last_activity"]) },
        ],
        undo: UndoRule::By {
            action: "aws.iam.session_allow@1",
            cost: "stolen sessions that have not expired work again; wait for the role's maximum session time first",
        },
        check: "policy_read_back",
        check_sentence: "GetRolePolicy gives back the deny with exactly this moment",
        lease: false,
        disturbs_volatile: false,
        permissions: &["iam:GetRolePolicy", "iam:PutRolePolicy"],
    },
    Definition {
        name: "aws.iam.session_allow@1",
        phase: Phase::Recover,
        in_playbooks: false,
        inputs: &[],
        undo: UndoRule::By { action: "aws.iam.session_revoke@1", cost: "older sessions of the role are denied again" },
        check: "policy_read_back",
        check_sentence: "GetRolePolicy gives what was recorded before, or says that there is no such policy",
        lease: false,
        disturbs_volatile: false,
        permissions: &["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"],
    },
];

/// The action of this name, or `None`.
pub fn definition(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.name == name)
}

/// Names that a playbook may use, for messages.
pub fn playbook_names() -> Vec<&'static str> {
    DEFINITIONS.iter().filter(|definition| definition.in_playbooks).map(|definition| definition.name).collect()
}
