//! Numbers of the network as people write them, and what stands for bytes that are missing. Takes a number of the wire; gives its name: the
//! same on the node and in the collector, so that a rule reads the same there and here.

use std::borrow::Cow;

/// Between the begin and the end of arguments of which the middle is missing.
pub const GAP: &str = " … ";

/// The name of a DNS record's type: `A`, `TXT`, …, or `TYPE65280`.
pub fn dns_type(number: u32) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        64 => "SVCB",
        65 => "HTTPS",
        252 => "AXFR",
        255 => "ANY",
        _ => return Cow::Owned(format!("TYPE{number}")),
    })
}

/// The name of a socket's family: `unix`, `ipv4`, …, or `family 31`.
pub fn socket_family(number: u32) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        1 => "unix",
        2 => "ipv4",
        10 => "ipv6",
        16 => "netlink",
        17 => "packet",
        31 => "bluetooth",
        38 => "alg",
        40 => "vsock",
        44 => "xdp",
        _ => return Cow::Owned(format!("family {number}")),
    })
}
