//! The self-test of a quarantine: what happens to a datagram that is sent from inside the cgroup.
//!
//! The agent runs itself again; the child moves into the cgroup and into the network namespace of one of its processes,
//! sends, and says what the kernel answered. A whole process, because a cgroup of version 2 takes no single threads. It sends
//! one byte to the discard port and reads nothing.

use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};

use super::outside::{Probe, ProbeOutcome, Seen};

/// The word with which the agent's binary becomes the probe.
pub const SUBCOMMAND: &str = "probe";

/// `discard`: whoever listens there throws away what comes.
const PORT: u16 = 9;
/// A datagram is answered by the kernel at once; the rest is the start of a process on a busy node.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
const OUTPUT_BYTES: u64 = 64 << 10;
/// Addresses that are nobody's (RFC 5737, RFC 3849): a datagram that gets out reaches nobody.
const NOBODY: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// Runs the agent's own binary as the probe.
#[derive(Debug, Clone)]
pub struct OwnProbe {
    /// The binary: `/proc/self/exe`, which is the same file also after an upgrade.
    pub program: PathBuf,
}

impl Default for OwnProbe {
    fn default() -> Self {
        Self { program: PathBuf::from("/proc/self/exe") }
    }
}

impl Probe for OwnProbe {
    fn send(&self, folder: &Path, namespace: Option<u32>, to: &[SocketAddr]) -> io::Result<Vec<Seen>> {
        let mut command = Command::new(&self.program);
        command.arg(SUBCOMMAND).arg(folder);
        command.arg(namespace.map_or_else(|| "-".to_owned(), |pid| format!("/proc/{pid}/ns/net")));
        command.args(to.iter().map(SocketAddr::to_string));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = output(child)?;
        output.lines().map(parse).collect()
    }
}

/// What a child printed. One that does not end in time is killed: a frozen cgroup freezes the probe as well.
fn output(mut child: Child) -> io::Result<String> {
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the probe did not end; the cgroup may be frozen"));
        }
        std::thread::sleep(BETWEEN_LOOKS);
    };
    let text = |pipe: Option<&mut dyn Read>| -> io::Result<String> {
        let mut text = String::new();
        if let Some(pipe) = pipe {
            pipe.take(OUTPUT_BYTES).read_to_string(&mut text)?;
        }
        Ok(text)
    };
    if status.success() {
        return text(child.stdout.as_mut().map(|pipe| pipe as &mut dyn Read));
    }
    let words = text(child.stderr.as_mut().map(|pipe| pipe as &mut dyn Read))?;
    Err(io::Error::other(format!("the probe failed: {}", words.trim())))
}

/// The probe itself: moves, sends, and gives a line for each address. Arguments: the cgroup's folder, a network namespace or
/// `-`, addresses.
pub fn run(arguments: &[String]) -> io::Result<String> {
    let [folder, namespace, addresses @ ..] = arguments else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "probe CGROUP NAMESPACE ADDRESS…"));
    };
    // The namespace is opened first: in the cgroup `/proc` is the same, but the fewer steps there the better.
    let namespace = match namespace.as_str() {
        "-" => None,
        path => Some(fs::File::open(path)?),
    };
    fs::write(Path::new(folder).join("cgroup.procs"), std::process::id().to_string())?;
    if let Some(namespace) = namespace {
        nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET)?;
    }
    let mut lines = String::new();
    for address in addresses {
        let address =
            SocketAddr::from_str(address).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        lines.push_str(&format_seen(&Seen { to: address, outcome: send(address) }));
        lines.push('\n');
    }
    Ok(lines)
}

fn send(to: SocketAddr) -> ProbeOutcome {
    let from: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    match UdpSocket::bind((from, 0)).and_then(|socket| socket.send_to(&[0], to)) {
        Ok(_) => ProbeOutcome::Sent,
        Err(error) => match error.kind() {
            io::ErrorKind::PermissionDenied => ProbeOutcome::Refused,
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => ProbeOutcome::NoRoute,
            // IPv6 is switched off: there is no way out by it.
            _ if error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) => ProbeOutcome::NoRoute,
            _ => ProbeOutcome::Other(error.to_string()),
        },
    }
}

fn format_seen(seen: &Seen) -> String {
    let outcome = match &seen.outcome {
        ProbeOutcome::Sent => "sent",
        ProbeOutcome::Refused => "refused",
        ProbeOutcome::NoRoute => "no-route",
        ProbeOutcome::Other(words) => words,
    };
    format!("{} {outcome}", seen.to)
}

fn parse(line: &str) -> io::Result<Seen> {
    let seen = line.split_once(' ').and_then(|(to, outcome)| {
        let outcome = match outcome {
            "sent" => ProbeOutcome::Sent,
            "refused" => ProbeOutcome::Refused,
            "no-route" => ProbeOutcome::NoRoute,
            words => ProbeOutcome::Other(words.to_owned()),
        };
        Some(Seen { to: to.parse().ok()?, outcome })
    });
    seen.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("the probe said {line:?}")))
}

/// Addresses that a quarantine must refuse: a neighbour on each of the namespace's own networks, and nobody's addresses.
pub fn forbidden(routes: &str, allow: &[IpNet]) -> Vec<SocketAddr> {
    let allowed = |address: &IpAddr| allow.iter().any(|network| network.contains(address));
    let neighbours = routes.lines().skip(1).filter_map(connected).filter_map(|network| {
        // From the end: gateways and services, which may be allowed, are at the beginning.
        let last = u32::from(network.broadcast()).saturating_sub(1);
        let first = u32::from(network.network()).saturating_add(1);
        (first..=last).rev().take(16).map(|address| IpAddr::V4(address.into())).find(|address| !allowed(address))
    });
    let neighbours: Vec<IpAddr> = neighbours.take(2).collect();
    let nobody = NOBODY.into_iter().filter(|address| !allowed(address)).take(1);
    neighbours.into_iter().chain(nobody).map(|address| SocketAddr::new(address, PORT)).collect()
}

/// Addresses that a quarantine must let through: the first of each of the first allowed networks.
pub fn permitted(allow: &[IpNet]) -> Vec<SocketAddr> {
    let first = |network: &IpNet| network.hosts().next().unwrap_or_else(|| network.addr());
    allow.iter().take(2).map(|network| SocketAddr::new(first(network), PORT)).collect()
}

/// A line of `/proc/net/route` of a network without a gateway. Numbers are in the machine's order.
fn connected(line: &str) -> Option<Ipv4Net> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    let address = |at: usize| number(at).map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let (network, gateway, mask) = (address(1)?, number(2)?, address(7)?);
    if gateway != 0 || mask.is_unspecified() {
        return None;
    }
    Ipv4Net::with_netmask(network, mask).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t0142430A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t0042430A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

    #[test]
    fn a_neighbour_and_nobody_are_forbidden_unless_they_are_allowed() {
        let words = |allow: &[&str]| {
            let allow: Vec<IpNet> = allow.iter().map(|text| text.parse().expect("a network")).collect();
            forbidden(ROUTES, &allow).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(&[]), "10.67.66.254:9 192.0.2.1:9");
        assert_eq!(words(&["10.67.66.254/32", "192.0.2.0/24"]), "10.67.66.253:9 198.51.100.1:9");
        assert_eq!(words(&["10.67.66.0/24"]), "192.0.2.1:9");
        assert_eq!(words(&["0.0.0.0/0"]), "[2001:db8::1]:9");
    }

    #[test]
    fn an_allowed_networks_first_address_is_permitted() {
        let allow = ["10.0.0.7/32", "10.1.0.0/16"].map(|text| text.parse().expect("a network"));
        assert_eq!(permitted(&allow).iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.7:9", "10.1.0.1:9"]);
    }

    #[test]
    fn what_a_probe_saw_is_read_as_it_was_written() {
        for outcome in
            [ProbeOutcome::Sent, ProbeOutcome::Refused, ProbeOutcome::NoRoute, ProbeOutcome::Other("x y".into())]
        {
            let seen = Seen { to: "[::1]:9".parse().expect("an address"), outcome };
            assert_eq!(parse(&format_seen(&seen)).expect("it is a line"), seen);
        }
        assert!(parse("nonsense").is_err());
    }

    #[test]
    fn a_datagram_on_the_loopback_leaves() {
        assert_eq!(send("127.0.0.1:9".parse().expect("an address")), ProbeOutcome::Sent);
    }
}
