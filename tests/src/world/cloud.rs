//! The stand-in AWS: moto's server on loopback. Takes IAM calls as AWS's query protocol writes them; gives what they answered. Holds one
//! node role and one user whose key the attacker makes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::place::Place;
use super::program::{Program, eventually};

/// Account number that moto uses.
pub const ACCOUNT: &str = "123456789012";
/// Role of the node.
pub const ROLE: &str = "store-node";
/// User whose key the attacker makes.
pub const USER: &str = "backup";

/// A running server.
pub struct Cloud {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    _program: Program,
}

impl Cloud {
    /// Starts the server and makes the role and the user.
    pub fn start(place: &Place) -> Result<Self> {
        let server = moto().context("moto_server is not installed: run `cargo xtask setup`")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(server);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let program = Program::start(command, &place.path("moto.log"))?;
        let cloud = Self { endpoint: format!("http://127.0.0.1:{port}"), _program: program };
        eventually("moto to listen", Duration::from_secs(30), || Ok(cloud.call("ListUsers", &[]).ok()))?;
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        cloud.call("CreateRole", &[("RoleName", ROLE), ("AssumeRolePolicyDocument", trust)])?;
        cloud.call("CreateUser", &[("UserName", USER)])?;
        Ok(cloud)
    }

    /// Makes an access key for the user; gives its id.
    pub fn create_key(&self) -> Result<String> {
        let answer = self.call("CreateAccessKey", &[("UserName", USER)])?;
        between(&answer, "<AccessKeyId>", "</AccessKeyId>").map(str::to_owned).context("an answer with a key id")
    }

    /// `Active` or `Inactive`.
    pub fn key_status(&self, id: &str) -> Result<String> {
        let answer = self.call("ListAccessKeys", &[("UserName", USER)])?;
        let keys = answer.split("<member>").find(|key| key.contains(id)).with_context(|| format!("no key {id}"))?;
        between(keys, "<Status>", "</Status>").map(str::to_owned).context("a key with a status")
    }

    /// Names of the role's inline policies.
    pub fn role_policies(&self) -> Result<Vec<String>> {
        let answer = self.call("ListRolePolicies", &[("RoleName", ROLE)])?;
        Ok(answer
            .split("<member>")
            .skip(1)
            .filter_map(|part| part.split("</member>").next())
            .map(|name| name.trim().to_owned())
            .collect())
    }

    /// One IAM call.
    pub fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let form = [("Action", action), ("Version", "2010-05-08")].into_iter().chain(parameters.iter().copied());
        let answer = ureq::post(&self.endpoint)
            .header("Authorization", "AWS4-HMAC-SHA256 Credential=stage/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0")
            .config()
            .http_status_as_error(false)
            .build()
            .send_form(form)
            .with_context(|| format!("call {action}"))?;
        let status = answer.status();
        let text = answer.into_body().read_to_string()?;
        if !status.is_success() {
            bail!("{action} was answered {status}: {text}");
        }
        Ok(text)
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

/// Where moto is: `MAYFLY_MOTO`, as `cargo xtask` sets it.
pub fn moto() -> Option<PathBuf> {
    std::env::var_os("MAYFLY_MOTO").map(PathBuf::from).filter(|path| path.is_file())
}
