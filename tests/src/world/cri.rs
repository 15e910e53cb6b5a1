//! What the kubelet asks of a container runtime: pods and containers made, started, entered and removed over the Container Runtime
//! Interface. Takes a socket; gives ids. Of the interface's messages only the fields that are set stand here; the agent's own client,
//! which never changes anything, is not used.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use prost::Message;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::container::Pod;

/// Namespaces of the interface: the container's own, the node's.
const CONTAINER: i32 = 1;
const NODE: i32 = 2;

/// A runtime, asked by one thread.
pub struct Cri {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, Message)]
struct Namespaces {
    #[prost(int32, tag = "1")]
    network: i32,
    #[prost(int32, tag = "2")]
    pid: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxSecurity {
    #[prost(message, optional, tag = "1")]
    namespaces: Option<Namespaces>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxLinux {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security: Option<SandboxSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "8")]
    linux: Option<SandboxLinux>,
}

#[derive(Clone, PartialEq, Message)]
struct RunPodSandbox {
    #[prost(message, optional, tag = "1")]
    config: Option<SandboxConfig>,
}

/// Several requests and answers are one id and nothing else.
#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerName {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerSecurity {
    #[prost(message, optional, tag = "3")]
    namespaces: Option<Namespaces>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerLinux {
    #[prost(message, optional, tag = "2")]
    security: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerName>,
    #[prost(message, optional, tag = "2")]
    image: Option<Id>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(message, optional, tag = "15")]
    linux: Option<ContainerLinux>,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    sandbox: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct ExecSync {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, repeated, tag = "2")]
    command: Vec<String>,
    #[prost(int64, tag = "3")]
    timeout: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Executed {
    #[prost(bytes = "vec", tag = "1")]
    printed: Vec<u8>,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Nothing {}

impl Cri {
    /// Connects.
    pub fn connect(socket: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display()))?;
        let channel = runtime.block_on(endpoint.connect()).with_context(|| format!("ask {}", socket.display()))?;
        Ok(Self { runtime, channel })
    }

    fn call<A: Message + 'static, B: Message + Default + 'static>(&self, method: &'static str, asked: A) -> Result<B> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        let answer = self.runtime.block_on(async {
            client.ready().await?;
            let codec: ProstCodec<A, B> = ProstCodec::default();
            let answer = client.unary(tonic::Request::new(asked), PathAndQuery::from_static(method), codec).await;
            answer.map_err(anyhow::Error::from)
        });
        Ok(answer.with_context(|| method.to_owned())?.into_inner())
    }

    /// Makes a pod, on the node's own network.
    pub fn run_pod(&self, pod: &Pod) -> Result<String> {
        let asked = RunPodSandbox { config: Some(sandbox(pod)) };
        Ok(self.call::<_, Id>("/runtime.v1.RuntimeService/RunPodSandbox", asked)?.id)
    }

    /// Makes a container in a pod, and starts it.
    pub fn start(&self, (sandbox_id, pod): (&str, &Pod), name: &str, image: &str, command: &[&str]) -> Result<String> {
        let namespaces = Some(Namespaces { network: NODE, pid: CONTAINER });
        let config = ContainerConfig {
            metadata: Some(ContainerName { name: name.to_owned() }),
            image: Some(Id { id: image.to_owned() }),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            linux: Some(ContainerLinux { security: Some(ContainerSecurity { namespaces }) }),
        };
        let sandbox_config = Some(sandbox(pod));
        let asked = CreateContainer { sandbox: sandbox_id.to_owned(), config: Some(config), sandbox_config };
        let made: Id = self.call("/runtime.v1.RuntimeService/CreateContainer", asked)?;
        self.call::<_, Nothing>("/runtime.v1.RuntimeService/StartContainer", made.clone())?;
        Ok(made.id)
    }

    /// Runs a program in a container, as a probe of the kubelet does; gives what it printed.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<String> {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        let asked = ExecSync { id: container.to_owned(), command, timeout: 20 };
        let told: Executed = self.call("/runtime.v1.RuntimeService/ExecSync", asked)?;
        ensure!(told.code == 0, "the program in the container ended with {}", told.code);
        Ok(String::from_utf8_lossy(&told.printed).into_owned())
    }

    /// Ends a pod with all its containers, and lets the runtime forget them.
    pub fn remove_pod(&self, sandbox: &str) -> Result<()> {
        let id = || Id { id: sandbox.to_owned() };
        self.call::<_, Nothing>("/runtime.v1.RuntimeService/StopPodSandbox", id())?;
        self.call::<_, Nothing>("/runtime.v1.RuntimeService/RemovePodSandbox", id()).map(drop)
    }
}

fn sandbox(pod: &Pod) -> SandboxConfig {
    let security = Some(SandboxSecurity { namespaces: Some(Namespaces { network: NODE, pid: CONTAINER }) });
    let (name, uid, namespace) = (pod.name.clone(), pod.uid.clone(), pod.namespace.clone());
    SandboxConfig {
        metadata: Some(Metadata { name, uid, namespace }),
        linux: Some(SandboxLinux { cgroup_parent: pod.cgroup(), security }),
    }
}
