//! Who is at the other end of the control socket. Takes the kernel's word (`SO_PEERCRED`); gives a name. A root user may speak for somebody
//! else, and then both names are kept.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use nix::unistd::{Uid, User};
use tokio::net::UnixListener;

/// The other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its user id; `None` where the kernel would not say.
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

/// Somebody spoke in another's name without the right to.
#[derive(Debug, thiserror::Error)]
#[error("{own} cannot speak for {other}: only root can")]
pub struct NotAllowed {
    /// Who they are.
    own: String,
    /// Who they said to be.
    other: String,
}

impl Peer {
    /// Their name: the account's, or `uid 1234` where the account has none.
    pub fn name(&self) -> String {
        let Some(uid) = self.uid else { return "unknown".to_owned() };
        match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => user.name,
            Ok(None) | Err(_) => format!("uid {uid}"),
        }
    }

    /// Their name, or the one that they speak for.
    pub fn speaks_as(&self, other: Option<&str>) -> Result<String, NotAllowed> {
        match other.map(str::trim).filter(|name| !name.is_empty()) {
            None => Ok(self.name()),
            Some(name) if self.uid == Some(0) => Ok(name.to_owned()),
            Some(name) => Err(NotAllowed { own: self.name(), other: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_speaks_for_others() {
        assert_eq!(Peer { uid: Some(0) }.speaks_as(Some("alice")).expect("root may"), "alice");
        assert!(Peer { uid: Some(65_533) }.speaks_as(Some("alice")).is_err());
        assert!(Peer { uid: None }.speaks_as(Some("alice")).is_err());
    }
}
