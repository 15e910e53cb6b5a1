//! What a story needs of the machine. Says `skipped: <what is missing>` once for each story that cannot be told.

use tests::world::{cloud, containerd, place};

/// True, and said, where containers and BPF cannot be used here.
pub(crate) fn without_containers() -> bool {
    say(place::missing().as_deref())
}

/// The same, and where the stand-in cloud is not installed.
pub(crate) fn without_cloud() -> bool {
    let missing = place::missing();
    let cloud = cloud::moto().is_none().then_some("the stand-in AWS (moto)");
    say(missing.as_deref().or(cloud))
}

/// The same, and where containerd is not installed.
pub(crate) fn without_containerd() -> bool {
    let missing = place::missing();
    let containerd = containerd::missing();
    say(missing.as_deref().or(containerd.as_deref()))
}

fn say(missing: Option<&str>) -> bool {
    if let Some(what) = missing {
        println!("skipped: {what}");
    }
    missing.is_some()
}
