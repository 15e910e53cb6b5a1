//! What is done in AWS: a key is set inactive, a role's older sessions are denied; and both are taken back. Takes typed actions; gives the
//! state before, the request ids and what `ListAccessKeys` and `GetRolePolicy` say afterwards.

use collector_core::model::Moment;
use collector_core::playbook::Action;
use serde_json::{Value, json};

use super::super::contain::{Applied, Before, Contain, ContainError, Context, Doing, Seen};
use super::client::Iam;

/// The hands in AWS.
#[derive(Clone, Debug)]
pub struct AwsContain {
    iam: Iam,
}

impl AwsContain {
    /// Acts through this client.
    pub fn new(iam: Iam) -> Self {
        Self { iam }
    }

    async fn owner(&self, key: &str, user: Option<&str>) -> Result<String, ContainError> {
        if let Some(user) = user {
            return Ok(user.to_owned());
        }
        let owner = self.iam.key_owner(key).await?;
        owner.ok_or_else(|| ContainError::Gone { target: format!("access key {key}") })
    }

    async fn read_key(&self, key: &str, user: Option<&str>, wanted: &str) -> Result<Before, ContainError> {
        let user = self.owner(key, user).await?;
        let status = self.iam.key_status(&user, key).await?;
        let status = status.ok_or_else(|| ContainError::Gone { target: format!("access key {key} of {user}") })?;
        Ok(Before { already: status == wanted, state: json!({"key": key, "user": user, "status": status}) })
    }

    async fn read_policy(&self, role: &str, policy: &str, wanted: Option<&str>) -> Result<Before, ContainError> {
        if !self.iam.role_exists(role).await? {
            return Err(ContainError::Gone { target: format!("role {role}") });
        }
        let document = self.iam.role_policy(role, policy).await?;
        let already = same_document(document.as_deref(), wanted);
        Ok(Before { already, state: json!({"role": role, "policy": policy, "document": document}) })
    }

    async fn set_key(&self, before: &Before, status: &str) -> Result<Applied, ContainError> {
        let (user, key) = (text(&before.state, "user"), text(&before.state, "key"));
        let id = self.iam.set_key_status(user, key, status).await?;
        Ok(Applied { request_ids: vec![id], answer: json!({"user": user}) })
    }

    async fn see_key(&self, key: &str, user: &str, wanted: &str) -> Result<Seen, ContainError> {
        let status = self.iam.key_status(user, key).await?;
        let said = status.as_deref().unwrap_or("absent");
        Ok(Seen {
            holds: said == wanted,
            after: json!({"key": key, "user": user, "status": said}),
            what: format!("ListAccessKeys says that key {key} of user {user} is {said}"),
        })
    }

    async fn see_policy(&self, role: &str, policy: &str, wanted: Option<&str>) -> Result<Seen, ContainError> {
        let document = self.iam.role_policy(role, policy).await?;
        let holds = same_document(document.as_deref(), wanted);
        let said = match (&document, holds) {
            (None, _) => "is not there",
            (Some(_), true) => "says what was asked for",
            (Some(_), false) => "says something else",
        };
        let what = format!("GetRolePolicy says that policy {policy} of role {role} {said}");
        Ok(Seen { holds, after: json!({"role": role, "policy": policy, "document": document}), what })
    }
}

impl Contain for AwsContain {
    fn does(&self, action: &Action) -> bool {
        matches!(
            action,
            Action::KeyDeactivate { .. }
                | Action::KeyRestore { .. }
                | Action::SessionRevoke { .. }
                | Action::SessionAllow { .. }
        )
    }

    fn read<'a>(&'a self, action: &'a Action) -> Doing<'a, Before> {
        Box::pin(async move {
            match action {
                Action::KeyDeactivate { key_id, user } => self.read_key(key_id, user.as_deref(), "Inactive").await,
                Action::KeyRestore { key_id, user, status } => self.read_key(key_id, Some(user), status).await,
                Action::SessionRevoke { role, issued_before, policy, .. } => {
                    self.read_policy(role, policy, Some(&revocation(*issued_before))).await
                }
                Action::SessionAllow { role, policy, document, .. } => {
                    self.read_policy(role, policy, document.as_deref()).await
                }
                other => Err(not_ours(other)),
            }
        })
    }

    fn apply<'a>(&'a self, action: &'a Action, before: &'a Before, _context: &'a Context) -> Doing<'a, Applied> {
        Box::pin(async move {
            let id = match action {
                Action::KeyDeactivate { .. } => return self.set_key(before, "Inactive").await,
                Action::KeyRestore { status, .. } => return self.set_key(before, status).await,
                Action::SessionRevoke { role, issued_before, policy, .. } => {
                    self.iam.put_role_policy(role, policy, &revocation(*issued_before)).await?
                }
                Action::SessionAllow { role, policy, document: Some(document), .. } => {
                    self.iam.put_role_policy(role, policy, document).await?
                }
                Action::SessionAllow { role, policy, document: None, .. } => {
                    self.iam.delete_role_policy(role, policy).await?
                }
                other => return Err(not_ours(other)),
            };
            Ok(Applied { request_ids: vec![id], answer: Value::Null })
        })
    }

    fn verify<'a>(&'a self, action: &'a Action, applied: &'a Applied) -> Doing<'a, Seen> {
        Box::pin(async move {
            match action {
                Action::KeyDeactivate { key_id, user } => {
                    let named = user.as_deref().or_else(|| applied.answer.get("user").and_then(Value::as_str));
                    let user = self.owner(key_id, named).await?;
                    self.see_key(key_id, &user, "Inactive").await
                }
                Action::KeyRestore { key_id, user, status } => self.see_key(key_id, user, status).await,
                Action::SessionRevoke { role, issued_before, policy, .. } => {
                    self.see_policy(role, policy, Some(&revocation(*issued_before))).await
                }
                Action::SessionAllow { role, policy, document, .. } => {
                    self.see_policy(role, policy, document.as_deref()).await
                }
                other => Err(not_ours(other)),
            }
        })
    }
}

/// Denies everything to sessions issued before a moment, in UTC, as the console's "revoke active sessions" writes it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>
fn revocation(issued_before: Moment) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Action": ["*"],
            "Resource": ["*"],
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": issued_before.to_string()}}
        }]
    })
    .to_string()
}

/// Documents are compared as JSON: a provider may print them with other spaces.
fn same_document(found: Option<&str>, wanted: Option<&str>) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (found, wanted) {
        (None, None) => true,
        (Some(found), Some(wanted)) => read(found).is_some() && read(found) == read(wanted),
        _ => false,
    }
}

fn text<'a>(state: &'a Value, key: &str) -> &'a str {
    state.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn not_ours(action: &Action) -> ContainError {
    ContainError::NotConfigured { action: format!("{action:?}"), advice: "it is not an action in AWS".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_names_its_moment_in_utc() {
        let document: Value =
            serde_json::from_str(&revocation(Moment::exact(1_795_284_623_000_000_000))).expect("it is JSON");
        let condition = &document["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"];
        assert_eq!(condition, "2026-11-21T18:10:23.000Z");
    }

    #[test]
    fn documents_are_the_same_whatever_their_spaces() {
        assert!(same_document(Some("{\"a\": 1}"), Some("{\"a\":1}")));
        assert!(!same_document(Some("not json"), Some("not json")));
        assert!(!same_document(None, Some("{}")));
    }
}
