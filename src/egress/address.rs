//! Special-purpose addresses, which a customer must not make us connect to (SSRF). Does no I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// IANA IPv4 Special-Purpose Address Registry (RFC 6890 and successors), multicast and class E.
const SPECIAL_V4: [Ipv4Net; 18] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The block that IANA allocates to ordinary hosts (RFC 4291 §2.5.4). IPv4-mapped, NAT64, unique
/// local, link-local and multicast addresses are outside of it, so they need no entry of their own.
const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// The special-purpose blocks inside global unicast (IANA IPv6 Special-Purpose Address Registry).
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6([0x2001, 0, 0], 23), // Teredo, benchmarking, ORCHID and other protocol use
    v6([0x2001, 0x0db8, 0], 32), // documentation
    v6([0x2002, 0, 0], 16), // 6to4: embeds any IPv4 address, including private ones
    v6([0x2620, 0x004f, 0x8000], 48), // AS112 direct delegation
    v6([0x3fff, 0, 0], 20), // documentation
];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 3], prefix: u8) -> Ipv6Net {
    let [a, b, c] = head;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// Returns whether the address is not an ordinary host on the internet: loopback, private, shared,
/// link-local, documentation, multicast, reserved, or an IPv6 form that embeds an IPv4 address.
#[must_use]
pub fn is_special_purpose(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => SPECIAL_V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) => {
            !GLOBAL_UNICAST_V6.contains(&v6) || SPECIAL_V6.iter().any(|net| net.contains(&v6))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(text: &str) -> bool {
        is_special_purpose(text.parse().unwrap())
    }

    #[test]
    fn both_ends_of_every_ipv4_range_are_special() {
        for net in SPECIAL_V4 {
            assert!(is_special_purpose(net.network().into()), "{net}");
            assert!(is_special_purpose(net.broadcast().into()), "{net}");
        }
    }

    #[test]
    fn every_ipv4_range_is_special_in_every_ipv6_form() {
        for net in SPECIAL_V4 {
            let [a, b, c, d] = net.network().octets();
            let (hi, lo) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for form in [
                format!("::ffff:{a}.{b}.{c}.{d}"),
                format!("::{a}.{b}.{c}.{d}"),
                format!("64:ff9b::{a}.{b}.{c}.{d}"),
                format!("64:ff9b:1::{a}.{b}.{c}.{d}"),
                format!("2002:{hi:x}:{lo:x}::1"),
                format!("2001:0:{hi:x}:{lo:x}::1"),
            ] {
                assert!(special(&form), "{form}");
            }
        }
    }

    #[test]
    fn ipv6_special_purpose_blocks_are_special() {
        for text in [
            "::",
            "::1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "4000::1",
        ] {
            assert!(special(text), "{text}");
        }
    }

    #[test]
    fn ordinary_addresses_are_not_special() {
        for text in [
            "8.8.8.8",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2600:1f18::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "2001:200::1",
            "3ffe::1",
        ] {
            assert!(!special(text), "{text}");
        }
    }
}
