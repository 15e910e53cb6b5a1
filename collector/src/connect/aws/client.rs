//! The IAM calls that the response needs, and no others. Takes names and ids; gives states. Credentials come from the environment or the
//! configuration and are never logged.

use aws_credential_types::Credentials;
use aws_sdk_iam::Client;
use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;
use aws_sdk_iam::types::StatusType;
use serde::Deserialize;

use super::super::contain::ContainError;

/// How to reach AWS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// Region that requests are signed for. IAM is global: default `us-east-1`.
    pub region: String,
    /// Another endpoint than AWS's own, for a stand-in or a proxy. Default: AWS.
    pub endpoint: Option<String>,
}

impl Default for AwsConfig {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), endpoint: None }
    }
}

/// The calls.
#[derive(Clone, Debug)]
pub struct Iam {
    client: Client,
}

impl Iam {
    /// A client with the credentials of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for a session, `AWS_SESSION_TOKEN`.
    /// `None` where they are not set.
    pub fn from_environment(config: &AwsConfig) -> Option<Self> {
        let key = std::env::var("AWS_ACCESS_KEY_ID").ok()?;
        let secret = std::env::var("AWS_SECRET_ACCESS_KEY").ok()?;
        let token = std::env::var("AWS_SESSION_TOKEN").ok();
        Some(Self::new(config, Credentials::new(key, secret, token, None, "environment")))
    }

    /// A client with these credentials.
    pub fn new(config: &AwsConfig, credentials: Credentials) -> Self {
        let mut builder = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .credentials_provider(credentials)
            .http_client(http_client());
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(builder.build()) }
    }

    /// The user that owns a key (`GetAccessKeyLastUsed`).
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html>
    pub async fn key_owner(&self, key: &str) -> Result<Option<String>, ContainError> {
        let answer = self.client.get_access_key_last_used().access_key_id(key).send().await;
        match answer {
            Ok(answer) => Ok(answer.user_name().map(str::to_owned)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(explain("GetAccessKeyLastUsed", &error)),
        }
    }

    /// `Active`, `Inactive`, or `None` where the user has no such key (`ListAccessKeys`; a user has at most two).
    pub async fn key_status(&self, user: &str, key: &str) -> Result<Option<String>, ContainError> {
        let answer = self.client.list_access_keys().user_name(user).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(explain("ListAccessKeys", &error)),
        };
        let found = answer.access_key_metadata().iter().find(|found| found.access_key_id() == Some(key));
        Ok(found.and_then(|found| found.status()).map(|status| status.as_str().to_owned()))
    }

    /// Sets a key's status (`UpdateAccessKey`); gives the request id.
    pub async fn set_key_status(&self, user: &str, key: &str, status: &str) -> Result<String, ContainError> {
        let call = self.client.update_access_key().user_name(user).access_key_id(key).status(StatusType::from(status));
        let answer = call.send().await.map_err(|error| explain("UpdateAccessKey", &error))?;
        Ok(request_id(&answer))
    }

    /// A role's inline policy as JSON text, `None` where it has none of this name (`GetRolePolicy` answers URL-encoded).
    pub async fn role_policy(&self, role: &str, policy: &str) -> Result<Option<String>, ContainError> {
        let answer = self.client.get_role_policy().role_name(role).policy_name(policy).send().await;
        match answer {
            Ok(answer) => Ok(Some(decode_document(answer.policy_document()))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(explain("GetRolePolicy", &error)),
        }
    }

    /// Whether the role exists (`GetRole`).
    pub async fn role_exists(&self, role: &str) -> Result<bool, ContainError> {
        match self.client.get_role().role_name(role).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(explain("GetRole", &error)),
        }
    }

    /// Writes a role's inline policy (`PutRolePolicy`); gives the request id.
    pub async fn put_role_policy(&self, role: &str, policy: &str, document: &str) -> Result<String, ContainError> {
        let call = self.client.put_role_policy().role_name(role).policy_name(policy).policy_document(document);
        let answer = call.send().await.map_err(|error| explain("PutRolePolicy", &error))?;
        Ok(request_id(&answer))
    }

    /// Deletes a role's inline policy (`DeleteRolePolicy`); gives the request id.
    pub async fn delete_role_policy(&self, role: &str, policy: &str) -> Result<String, ContainError> {
        let call = self.client.delete_role_policy().role_name(role).policy_name(policy);
        let answer = call.send().await.map_err(|error| explain("DeleteRolePolicy", &error))?;
        Ok(request_id(&answer))
    }
}

/// TLS by rustls with ring, as everywhere in Mayfly: one cryptographic library.
fn http_client() -> aws_sdk_iam::config::SharedHttpClient {
    use aws_smithy_http_client::tls::Provider;
    use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn request_id(answer: &impl RequestId) -> String {
    answer.request_id().unwrap_or("without a request id").to_owned()
}

fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchEntity")
}

fn explain<E, R>(call: &'static str, error: &SdkError<E, R>) -> ContainError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error.as_service_error() {
        Some(service) => ContainError::Refused {
            call,
            code: service.code().unwrap_or("unknown").to_owned(),
            message: service.message().unwrap_or("no message").to_owned(),
        },
        None => ContainError::Unreachable { call, message: error.to_string() },
    }
}

/// `%7B%22Version…` to `{"Version…`; text that is not encoded stays as it is.
fn decode_document(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = if first == b'%' { after.get(..2) } else { None };
        let code = code.and_then(|two| std::str::from_utf8(two).ok());
        if let Some(byte) = code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode_document;

    #[test]
    fn a_policy_document_is_read_as_aws_writes_it() {
        assert_eq!(decode_document("%7B%22Version%22%3A%222012-10-17%22%7D"), r#"{"Version":"2012-10-17"}"#);
        assert_eq!(decode_document(r#"{"a":"100%"}"#), r#"{"a":"100%"}"#);
    }
}
