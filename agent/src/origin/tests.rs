//! Tests of who did it: processes that enter containers, lines of text out.

use super::*;

const ID: &str = "3f2c0b6b9ab1f5d8c1f3b6c4f2a9e1d07c5b4a39281706f5e4d3c2b1a0998877";
const HOST: u64 = 1;
const CONTAINER: u64 = 42;

struct World {
    origin: Origin,
    said: Vec<ContainerSeen>,
    _folder: tempfile::TempDir,
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ns: u64::from(pid) * 100 }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().to_path_buf();
        let settings =
            Settings { proc: root.join("proc"), cgroups: Some(root.join("cgroup")), host: root, ..Settings::default() };
        let mut origin = Origin::new(settings);
        origin.cgroup_made(HOST, b"/", 1);
        origin.cgroup_made(CONTAINER, format!("/docker/{ID}").as_bytes(), 2);
        Self { origin, said: Vec::new(), _folder: folder }
    }

    fn does(&mut self, pid: u32, parent: u32, cgroup_id: u64) -> Actor {
        let subject = Subject { process: key(pid), tid: pid, parent: key(parent), uid: 0, cgroup_id };
        self.origin.actor(&subject, 10, &mut self.said)
    }

    fn forks(&mut self, pid: u32, parent: u32, cgroup_id: u64, child: u32) {
        self.does(pid, parent, cgroup_id);
        let subject = Subject { process: key(pid), tid: pid, parent: key(parent), uid: 0, cgroup_id };
        self.origin.forked(&subject, key(pid), key(child), 10);
    }
}

#[test]
fn the_first_from_outside_is_the_containers_init_and_its_children_are_of_its_tree() {
    let mut world = World::new();
    world.forks(10, 1, HOST, 11);
    // The runtime moves 11 into the container, where it makes 12.
    world.forks(11, 10, CONTAINER, 12);
    assert_eq!(world.does(12, 11, CONTAINER).entry(), Entry::InitTree);
    assert_eq!(world.does(12, 11, CONTAINER).origin, Some(WireOrigin::ContainerId(ID.to_owned())));
}

#[test]
fn who_enters_a_running_container_from_outside_is_not_of_its_tree_nor_are_its_children() {
    let mut world = World::new();
    world.forks(10, 1, HOST, 11);
    world.forks(11, 10, CONTAINER, 12);
    world.forks(10, 1, HOST, 20);
    world.forks(20, 10, CONTAINER, 21);
    assert_eq!(world.does(20, 10, CONTAINER).entry(), Entry::Namespace);
    assert_eq!(world.does(21, 20, CONTAINER).entry(), Entry::Namespace);
    world.forks(21, 20, CONTAINER, 22);
    assert_eq!(world.does(22, 21, CONTAINER).entry(), Entry::Namespace);
    assert_eq!(world.does(12, 11, CONTAINER).entry(), Entry::InitTree);
}

#[test]
fn nobody_is_said_to_have_entered_without_having_been_seen_outside() {
    let mut world = World::new();
    world.does(11, 10, CONTAINER);
    // Neither its fork nor its parent was seen: records were lost.
    assert_eq!(world.does(77, 76, CONTAINER).entry(), Entry::Unknown);
}

#[test]
fn who_joins_a_containers_mounts_and_stays_in_its_own_cgroup_is_told_with_that_container() {
    let mut world = World::new();
    world.forks(10, 1, HOST, 11);
    world.does(11, 10, CONTAINER);
    let subject = |pid, cgroup_id| Subject { process: key(pid), tid: pid, parent: key(1), uid: 0, cgroup_id };
    let image = |mount_namespace| Arc::new(Image { mount_namespace, ..Image::default() });
    world.origin.executed(&subject(11, CONTAINER), image(77));
    let mut placed = |pid, mounts| {
        let mut actor = world.does(pid, 1, HOST);
        world.origin.executed(&subject(pid, HOST), image(mounts));
        world.origin.place(&mut actor);
        (actor.entry(), actor.entered_container_id)
    };
    assert_eq!(placed(30, 77), (Entry::Namespace, ID.to_owned()));
    assert_eq!(placed(31, 78), (Entry::Unspecified, String::new()));
    world.origin.cgroup_gone(CONTAINER, 11);
    let mut actor = world.does(30, 1, HOST);
    world.origin.place(&mut actor);
    assert_eq!(actor.entered_container_id, "", "the number of a namespace is used again");
}

#[test]
fn an_actor_of_the_host_is_of_no_tree() {
    let mut world = World::new();
    let actor = world.does(10, 1, HOST);
    assert_eq!(actor.origin, Some(WireOrigin::Host(true)));
    assert_eq!(actor.entry(), Entry::Unspecified);
}

#[test]
fn a_cgroup_that_nobody_knows_is_unknown_with_its_reason() {
    let mut world = World::new();
    let actor = world.does(10, 1, 999);
    assert_eq!(actor.origin, Some(WireOrigin::Unknown(i32::from(proto::v1::UnknownOrigin::CgroupGone))));
}

#[test]
fn a_child_of_a_dead_parent_still_names_what_the_parent_ran() {
    let mut world = World::new();
    world.does(10, 1, HOST);
    let subject = Subject { process: key(10), tid: 10, parent: key(1), uid: 0, cgroup_id: HOST };
    world.origin.executed(&subject, Arc::new(Image::new(b"/bin/parent", b"parent\0", b"/", 0)));
    world.origin.forked(&subject, key(10), key(11), 10);
    world.origin.exited(key(10), 10);
    world.origin.advance(u64::MAX, &mut Vec::new());
    let parent = world.origin.parent_image(key(11), Some(key(10))).expect("the child keeps it");
    assert_eq!(parent.executable, b"/bin/parent");
}

#[test]
fn this_machine_can_be_seeded() {
    let mut origin = Origin::new(Settings::default());
    origin.seed(1);
    let own = seed::one(Path::new("/proc"), std::process::id()).expect("the test runs");
    let process = origin.process(own.key).expect("the test was seeded");
    assert_eq!(process.image.executable, own.image.executable);
}

#[test]
fn where_only_version_1_is_mounted_a_container_is_read_in_proc_or_unknown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proc = folder.path().join("proc");
    let write = |file: &str, text: &str| {
        let path = proc.join(file);
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a temporary folder");
        std::fs::write(path, text).expect("a temporary folder");
    };
    write("self/mounts", "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n");
    let start_ns = 5 * process::TICK_NS;
    let lives = |pid: u32, path: &str| {
        write(&format!("{pid}/cgroup"), &format!("3:cpuset:/\n2:memory:{path}\n"));
        write(&format!("{pid}/stat"), &format!("{pid} (a) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5 0"));
    };
    lives(20, &format!("/docker/{ID}"));
    lives(21, "/user.slice");
    let settings = Settings { proc: proc.clone(), host: folder.path().to_path_buf(), ..Settings::default() };
    let (mut origin, mut said) = (Origin::new(settings), Vec::new());
    // The kernel's records say the root of the version 2 tree, where nobody was put.
    let subject = |pid, start_ns| Subject {
        process: ProcessKey { pid, start_ns },
        tid: pid,
        parent: key(1),
        uid: 0,
        cgroup_id: 1,
    };
    let unknown = WireOrigin::Unknown(i32::from(UnknownOrigin::CgroupVersion1));
    let mut origin_of = |pid, start_ns| origin.actor(&subject(pid, start_ns), 10, &mut said).origin;
    assert_eq!(origin_of(20, start_ns), Some(WireOrigin::ContainerId(ID.to_owned())));
    assert_eq!(origin_of(21, start_ns), Some(WireOrigin::Host(true)));
    assert_eq!(origin_of(22, start_ns), Some(unknown.clone()), "it has ended");
    assert_eq!(origin_of(20, 9 * process::TICK_NS), Some(unknown), "another process has its number");
    assert_eq!(said.iter().map(|seen| seen.container_id.as_str()).collect::<Vec<_>>(), [ID]);
}
