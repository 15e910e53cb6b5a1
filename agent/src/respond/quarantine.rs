//! Cutting a container off the network, and letting it back: tested from inside, over by itself, kept over the agent's end.
//!
//! Takes orders; gives what came of them, with what the probe saw. A quarantine that does not hold is lifted again: nothing is
//! left half done. The barrier itself is the kernel's; when the agent begins again it is put back.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use proto::v1::{LiftQuarantine, OrderStatus, Quarantine};
use serde::{Deserialize, Serialize};

use super::Responder;
use super::lease::{load, save};
use super::order::{Outcome, Place};
use super::outside::{ProbeOutcome, Seen};
use super::probe::{forbidden, permitted};

/// Networks of one allow-list: the barrier's table is shared by all quarantines.
const ALLOWED: usize = 256;
/// A quarantine that is not renewed in a week is forgotten by whoever asked for it.
const LONGEST_SECONDS: u32 = 7 * 86_400;
const ROUTES_BYTES: usize = 1 << 20;
const LOOPBACK: Option<SocketAddr> = Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9));

/// A container that is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Its id.
    pub container_id: String,
    /// Its cgroup.
    pub cgroup_id: u64,
    /// The folder of that cgroup.
    pub folder: PathBuf,
    /// What it may still reach.
    pub allow: Vec<IpNet>,
    /// `CLOCK_BOOTTIME` at which it ends.
    pub until_ns: u64,
    /// The order for which it was begun.
    pub order_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    boot_id: String,
    active: Vec<Active>,
}

/// All quarantines of this node, as they are on disk.
#[derive(Debug)]
pub struct Quarantines {
    path: PathBuf,
    kept: Kept,
}

impl Quarantines {
    /// The quarantines that a file keeps of this boot.
    pub fn open(path: PathBuf, boot_id: &str) -> io::Result<Self> {
        let empty = || Kept { boot_id: boot_id.to_owned(), active: Vec::new() };
        let kept = load(&path)?.filter(|kept: &Kept| kept.boot_id == boot_id).unwrap_or_else(empty);
        Ok(Self { path, kept })
    }

    /// The quarantine of a cgroup.
    pub fn of(&self, cgroup_id: u64) -> Option<&Active> {
        self.kept.active.iter().find(|active| active.cgroup_id == cgroup_id)
    }

    fn put(&mut self, active: Active) -> io::Result<()> {
        self.kept.active.retain(|other| other.cgroup_id != active.cgroup_id);
        self.kept.active.push(active);
        save(&self.path, &self.kept)
    }

    fn remove(&mut self, cgroup_id: u64) -> io::Result<()> {
        self.kept.active.retain(|other| other.cgroup_id != cgroup_id);
        save(&self.path, &self.kept)
    }
}

impl Responder {
    /// Cuts a container off.
    pub(super) fn quarantine(&mut self, order_id: &str, order: &Quarantine) -> Outcome {
        let allow = match networks(&order.allow) {
            Ok(allow) => allow,
            Err(why) => return Outcome::refused(&why),
        };
        if order.expires_seconds == 0 || order.expires_seconds > LONGEST_SECONDS {
            return Outcome::refused("a quarantine lasts between one second and seven days");
        }
        let place = match self.place(&order.container_id, order.cgroup_id) {
            Ok(Some(place)) => place,
            Ok(None) => {
                return gone();
            }
            Err(why) => return Outcome::refused(&why),
        };
        let prior = self.quarantines.of(place.cgroup_id).cloned();
        let until_ns =
            self.outside.clock.now().boot_ns.saturating_add(u64::from(order.expires_seconds) * 1_000_000_000);
        let active = Active {
            container_id: order.container_id.clone(),
            cgroup_id: place.cgroup_id,
            folder: place.folder.clone(),
            allow,
            until_ns,
            order_id: order_id.to_owned(),
        };
        let words = prior.as_ref().map_or_else(|| "not quarantined".to_owned(), describe);
        if prior.as_ref().is_some_and(|prior| prior.allow == active.allow) {
            return self.renew(active, &place).prior(&words);
        }
        self.begin(&active, &place).prior(&words)
    }

    fn begin(&mut self, active: &Active, place: &Place) -> Outcome {
        // On disk first: an agent that dies behind this line puts the barrier up when it begins again.
        if let Err(error) = self.quarantines.put(active.clone()) {
            return Outcome::failed(&format!("keep the quarantine on disk: {error}"));
        }
        let network = match &mut self.outside.network {
            Ok(network) => network,
            Err(refusal) => {
                let why = format!("the kernel has no barrier: {refusal}");
                return self.give_up(active, Outcome::refused(&why));
            }
        };
        let cut = network
            .lift(active.cgroup_id)
            .and_then(|_| network.cut(active.cgroup_id, &place.folder, &active.allow, active.until_ns));
        if let Err(error) = cut {
            return self.give_up(active, Outcome::failed(&error.to_string()));
        }
        match self.test(active, place) {
            Ok(seen) => Outcome::new(OrderStatus::Done, &format!("cut off: {}", describe(active))).verified(&seen),
            Err(why) => {
                if let Ok(network) = &mut self.outside.network
                    && let Err(error) = network.lift(active.cgroup_id)
                {
                    tracing::error!(%error, "a quarantine that does not hold could not be lifted");
                }
                self.give_up(active, Outcome::failed(&format!("the self-test failed, so it was lifted: {why}")))
            }
        }
    }

    /// The same quarantine again: only its end moves.
    fn renew(&mut self, active: Active, place: &Place) -> Outcome {
        let outcome = match self.test(&active, place) {
            Ok(seen) => Outcome::new(OrderStatus::Already, &format!("renewed: {}", describe(&active))).verified(&seen),
            Err(_) => return self.begin(&active, place),
        };
        let (cgroup_id, until_ns) = (active.cgroup_id, active.until_ns);
        if let Err(error) = self.quarantines.put(active) {
            return Outcome::failed(&format!("keep the new end on disk: {error}"));
        }
        let network = self.outside.network.as_mut().map_err(|refusal| io::Error::other(refusal.clone()));
        match network.and_then(|network| network.extend(cgroup_id, until_ns)) {
            Ok(()) => outcome,
            Err(error) => Outcome::failed(&format!("tell the kernel the new end: {error}")),
        }
    }

    /// Forgets a quarantine that was not begun. Where the container went away meanwhile, that is what is said.
    fn give_up(&mut self, active: &Active, outcome: Outcome) -> Outcome {
        let cgroup_id = active.cgroup_id;
        if let Err(error) = self.quarantines.remove(cgroup_id) {
            tracing::error!(%error, "a quarantine that was given up stays on disk");
        }
        if active.folder.exists() { outcome } else { gone() }
    }

    /// Sends from inside: what is forbidden must be refused, what is allowed must not.
    fn test(&self, active: &Active, place: &Place) -> Result<String, String> {
        let network = self.outside.network.as_ref().map_err(Clone::clone)?;
        let before = network.packets(active.cgroup_id).ok_or("the barrier does not know the cgroup")?;
        let inside = place.processes().first().copied();
        let routes = self.routes(inside);
        let (no, yes) = (forbidden(&routes, &active.allow), permitted(&active.allow));
        // In a container without a network this is all that a barrier can be seen by; one that lets it pass is none the worse.
        let own = LOOPBACK.filter(|address| !yes.contains(address) && no.len() < 2);
        let to: Vec<_> = no.iter().chain(&yes).chain(own.as_ref()).copied().collect();
        let seen = self.outside.probe.send(&place.folder, inside, &to).map_err(|error| error.to_string())?;
        let after = network.packets(active.cgroup_id).unwrap_or(before);
        let dropped = after.dropped_out.saturating_sub(before.dropped_out);
        let words = seen.iter().map(word).collect::<Vec<_>>().join(", ");
        let is_no = |seen: &&Seen| no.contains(&seen.to);
        if seen.len() != to.len() {
            return Err(format!("the probe answered for {} of {} addresses: {words}", seen.len(), to.len()));
        }
        if let Some(out) = seen.iter().filter(is_no).find(|seen| seen.outcome == ProbeOutcome::Sent) {
            return Err(format!("a datagram to {} got out ({words})", out.to));
        }
        let counts = |seen: &&Seen| is_no(seen) || Some(seen.to) == own;
        let refused = seen.iter().filter(counts).filter(|seen| seen.outcome == ProbeOutcome::Refused).count();
        let blocked = seen.iter().find(|seen| yes.contains(&seen.to) && seen.outcome == ProbeOutcome::Refused);
        if let Some(blocked) = blocked {
            return Err(format!("a datagram to {}, which is allowed, was refused ({words})", blocked.to));
        }
        if refused > 0 && dropped == 0 {
            return Err(format!("datagrams were refused, and the barrier counted none of them ({words})"));
        }
        let how = if refused > 0 { "" } else { "; no other network can be reached from inside, with or without it" };
        Ok(format!("sent from inside the cgroup: {words}; the barrier dropped {dropped}{how}"))
    }

    /// The routes of a process's network namespace; none where nobody is inside.
    fn routes(&self, inside: Option<u32>) -> String {
        let path = inside.map(|pid| self.settings.guard.proc.join(format!("{pid}/net/route")));
        let routes = path.and_then(|path| fs::read_to_string(path).ok());
        routes.filter(|routes| routes.len() <= ROUTES_BYTES).unwrap_or_default()
    }

    /// Lets a container back.
    pub(super) fn lift(&mut self, order: &LiftQuarantine) -> Outcome {
        let active = self.quarantines.kept.active.iter();
        let named = |active: &&Active| match order.cgroup_id {
            0 => active.container_id == order.container_id,
            id => {
                active.cgroup_id == id && (order.container_id.is_empty() || active.container_id == order.container_id)
            }
        };
        let Some(active) = active.clone().find(named).cloned() else {
            return Outcome::new(OrderStatus::Already, "it is not quarantined")
                .verified("no quarantine of it is known");
        };
        self.end(&active).prior(&describe(&active))
    }

    fn end(&mut self, active: &Active) -> Outcome {
        let dropped = match &mut self.outside.network {
            Ok(network) => {
                let dropped =
                    network.packets(active.cgroup_id).map_or(0, |packets| packets.dropped_out + packets.dropped_in);
                if let Err(error) = network.lift(active.cgroup_id) {
                    return Outcome::failed(&error.to_string());
                }
                dropped
            }
            Err(_) => 0,
        };
        if let Err(error) = self.quarantines.remove(active.cgroup_id) {
            return Outcome::failed(&format!("keep on disk that it is lifted: {error}"));
        }
        let outcome = Outcome::new(OrderStatus::Done, &format!("lifted; it had dropped {dropped} packets"));
        let Ok(Some(place)) = self.place(&active.container_id, active.cgroup_id) else {
            return outcome.verified("the container's cgroup is gone");
        };
        let inside = place.processes().first().copied();
        let to = forbidden(&self.routes(inside), &[]);
        match self.outside.probe.send(&place.folder, inside, &to) {
            Ok(seen) if seen.iter().any(|seen| seen.outcome == ProbeOutcome::Refused) => {
                let words = seen.iter().map(word).collect::<Vec<_>>().join(", ");
                Outcome::failed(&format!("lifted, and something else still refuses: {words}"))
            }
            Ok(seen) => {
                let words = seen.iter().map(word).collect::<Vec<_>>().join(", ");
                outcome.verified(&format!("sent from inside the cgroup: {words}"))
            }
            Err(error) => outcome.verified(&format!("the barrier is detached; not probed: {error}")),
        }
    }

    /// Ends what is over, and forgets containers that are gone.
    pub(super) fn end_quarantines(&mut self, now_ns: u64) {
        let gone = |active: &Active| !active.folder.exists();
        let over = |active: &&Active| active.until_ns <= now_ns || gone(active);
        let over: Vec<Active> = self.quarantines.kept.active.iter().filter(over).cloned().collect();
        for active in over {
            let outcome = self.end(&active);
            tracing::info!(container = active.container_id, outcome = outcome.detail, "a quarantine is over");
        }
    }

    /// Puts the barriers of an earlier agent up again, in place of those that the kernel kept.
    pub(super) fn resume_quarantines(&mut self) {
        let now_ns = self.outside.clock.now().boot_ns;
        self.end_quarantines(now_ns);
        let Ok(network) = &mut self.outside.network else { return };
        let mut known = Vec::new();
        for active in &self.quarantines.kept.active {
            let same = crate::origin::cgroup_tree::CgroupTree::id_of_folder(&active.folder) == Some(active.cgroup_id);
            if !same {
                continue;
            }
            known.push(active.cgroup_id);
            if let Err(error) = network.cut(active.cgroup_id, &active.folder, &active.allow, active.until_ns) {
                tracing::error!(%error, container = active.container_id, "a quarantine could not be put back");
            }
        }
        network.keep_only(&known);
    }
}

fn gone() -> Outcome {
    let outcome = Outcome::new(OrderStatus::Already, "the container's cgroup is gone: nothing in it can send");
    outcome.verified("the cgroup is not in the tree")
}

fn networks(allow: &[String]) -> Result<Vec<IpNet>, String> {
    if allow.len() > ALLOWED {
        return Err(format!("{} allowed networks, at most {ALLOWED} are taken", allow.len()));
    }
    let network = |text: &String| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(|_| address())
            .map_err(|_| format!("{text:?} is neither an address nor a network"))
    };
    allow.iter().map(network).collect()
}

fn describe(active: &Active) -> String {
    let allow = active.allow.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let allow = if allow.is_empty() { "nothing".to_owned() } else { allow };
    format!("quarantined until boot time {} s, allowed: {allow}", active.until_ns / 1_000_000_000)
}

fn word(seen: &Seen) -> String {
    let outcome = match &seen.outcome {
        ProbeOutcome::Sent => "sent",
        ProbeOutcome::Refused => "refused",
        ProbeOutcome::NoRoute => "no route",
        ProbeOutcome::Other(words) => words,
    };
    format!("{} {outcome}", seen.to)
}
