//! The version 2 cgroup tree on disk: the path of a cgroup by the id that the kernel's records carry.
//!
//! Takes the mount of the tree and of `/proc`; gives paths from the root of the tree. The id of a cgroup is the inode number
//! of its folder. Bounded in depth and in number; never writes.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Kubernetes nests a container five deep, a node inside a container nine.
const DEPTH: usize = 16;
/// Folders that one walk looks at.
const FOLDERS: usize = 16_384;

/// The mounted tree.
#[derive(Debug, Clone)]
pub struct CgroupTree {
    mount: PathBuf,
    proc: PathBuf,
}

impl CgroupTree {
    /// A tree at `mount`, on a machine whose processes stand in `proc`.
    pub fn new(mount: PathBuf, proc: PathBuf) -> Self {
        Self { mount, proc }
    }

    /// Looks in `proc` where the tree is mounted: at its usual place, or beside the version 1 controllers. `None`: nowhere.
    pub fn mounted(proc: &Path, host: &Path) -> Option<Self> {
        let mounts = fs::read_to_string(proc.join("self/mounts")).ok()?;
        let of_tree = |line: &str| {
            let mut words = line.split(' ').skip(1);
            let (place, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        };
        let places: Vec<PathBuf> = mounts.lines().filter_map(of_tree).collect();
        // In a container with the host's root mounted, the host's tree is the one below it.
        let place = places.iter().find(|place| host != Path::new("/") && place.starts_with(host)).or(places.first())?;
        Some(Self::new(place.clone(), proc.to_path_buf()))
    }

    /// The folder of a cgroup.
    pub fn folder(&self, path: &[u8]) -> PathBuf {
        let below = path.strip_prefix(b"/").unwrap_or(path);
        self.mount.join(std::ffi::OsStr::from_bytes(below))
    }

    /// The path of the cgroup with that id: by the process that was seen in it, else by a walk.
    pub fn find(&self, id: u64, pid: u32) -> Option<Vec<u8>> {
        self.of_process(pid).filter(|path| self.id_of(path) == Some(id)).or_else(|| self.path_of(id))
    }

    /// The path of the cgroup with that id, by a walk.
    pub fn path_of(&self, id: u64) -> Option<Vec<u8>> {
        self.walk(FOLDERS).into_iter().find_map(|(found, path)| (found == id).then_some(path))
    }

    /// The id of a cgroup.
    pub fn id_of(&self, path: &[u8]) -> Option<u64> {
        Self::id_of_folder(&self.folder(path))
    }

    /// The id of a cgroup, by its folder.
    pub fn id_of_folder(folder: &Path) -> Option<u64> {
        fs::metadata(folder).ok().map(|folder| folder.ino())
    }

    /// The path of the cgroup that a process is in.
    pub fn of_process(&self, pid: u32) -> Option<Vec<u8>> {
        let text = fs::read(self.proc.join(pid.to_string()).join("cgroup")).ok()?;
        text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::")).map(<[u8]>::to_vec)
    }

    /// Every cgroup with its id, the outer before the inner, at most `limit` of them.
    pub fn walk(&self, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let mut waiting = vec![(self.mount.clone(), 0)];
        while let Some((folder, depth)) = waiting.pop() {
            let Ok(told) = fs::metadata(&folder) else { continue };
            let below = folder.strip_prefix(&self.mount).unwrap_or(&folder).as_os_str().as_bytes();
            found.push((told.ino(), [b"/", below].concat()));
            if found.len() >= limit.min(FOLDERS) {
                break;
            }
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            if depth < DEPTH {
                let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                waiting.extend(folders.map(|entry| (entry.path(), depth + 1)));
            }
        }
        found
    }
}
