//! Modules of a kernel that the tests need and that Debian does not build in. Takes names; gives the files, unpacked, each
//! after those that it needs itself, so that loading them in this order works.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::debian;

/// What the kernel tests touch; a kernel may have one built in or not at all.
const WANTED: &[&str] = &["overlay", "vsock_loopback", "af_packet", "sctp", "tun", "tls", "dummy", "veth"];

/// Bytes of the wanted modules, in the order in which they load.
pub(super) fn wanted(modules: &Path) -> Result<Vec<Vec<u8>>> {
    let mut files = BTreeMap::new();
    list(&modules.join("kernel"), &mut files);
    let mut order = Vec::new();
    for name in WANTED {
        add(name, &files, &mut order)?;
    }
    Ok(order.into_iter().map(|(_, bytes)| bytes).collect())
}

/// The names are spelled with `-` and `_` alike.
fn list(folder: &Path, files: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&entry.path(), files);
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            files.insert(name.replace('-', "_"), entry.path());
        }
    }
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, order: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let name = name.replace('-', "_");
    let Some(path) = files.get(&name).filter(|_| order.iter().all(|(known, _)| *known != name)) else {
        return Ok(());
    };
    let bytes = read(path)?;
    for needed in needs(&bytes) {
        add(&needed, files, order)?;
    }
    order.push((name, bytes));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return fs::read(path).with_context(|| format!("read {}", path.display()));
    }
    let busybox = debian::busybox().context("busybox, to unpack a module")?;
    let output = Command::new(busybox).args(["unxz", "-c"]).arg(path).output().context("start busybox")?;
    Ok(output.stdout)
}

/// Names that a module says of itself it needs.
fn needs(module: &[u8]) -> Vec<String> {
    const FIELD: &[u8] = b"\0depends=";
    let Some(at) = module.windows(FIELD.len()).position(|window| window == FIELD) else { return Vec::new() };
    let text = &module[at + FIELD.len()..];
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::needs;

    #[test]
    fn a_module_says_what_it_needs() {
        assert_eq!(needs(b"\x7fELF\0license=GPL\0depends=vsock,crc-x\0name=a\0"), ["vsock", "crc-x"]);
        assert!(needs(b"\x7fELF\0depends=\0name=a\0").is_empty());
        assert!(needs(b"\x7fELF").is_empty());
    }
}
