//! bpf(2): what is put into the kernel, and whatever takes hold of what the agent put there.
//!
//! What this does not see: which helpers a program calls (whether it may write into processes or override answers); the calls of
//! 32-bit programs; what is done to a map through a descriptor that was received, but for the agent's own maps.

use aya_ebpf::macros::{map, tracepoint};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::TracePointContext;
use ebpf_common::config::own;
use ebpf_common::header::flag;
use ebpf_common::record::Bpf;
use ebpf_common::{Class, Kind};

use super::call::{self, Arguments};
use super::guard;
use crate::{filter, offset, read};

/// Programs and maps of the agent: what `ebpf_common::config::own` says, and the kernel's number of it.
#[map]
static OWN: HashMap<u64, u32> = HashMap::with_max_entries(1024, 0);

// Commands, of `enum bpf_cmd`.
const MAP_CREATE: u32 = 0;
const PROGRAM_LOAD: u32 = 5;
const PIN: u32 = 6;
const GET_PINNED: u32 = 7;
const ATTACH: u32 = 8;
const DETACH: u32 = 9;
const PROGRAM_BY_ID: u32 = 13;
const MAP_BY_ID: u32 = 14;
const RAW_TRACEPOINT: u32 = 17;
const LINK_CREATE: u32 = 28;
const LINK_UPDATE: u32 = 29;
const LINK_BY_ID: u32 = 30;
const STATISTICS: u32 = 32;
const LINK_DETACH: u32 = 34;
/// Commands on what is in a map: told only of the agent's own. Reading it is left out.
const CONTENT: u64 = 1 << 2 | 1 << 3 | 1 << 21 | 1 << 22 | 1 << 25 | 1 << 26 | 1 << 27;

/// `sys_exit_bpf`, since 3.18.
/// `__sys_bpf` in <https://github.com/torvalds/linux/blob/v6.18/kernel/bpf/syscall.c>
#[tracepoint(category = "syscalls", name = "sys_exit_bpf")]
fn bpf_end(context: TracePointContext) -> u32 {
    let given = Arguments::current();
    let command = given.first() as u32;
    let told = matches!(
        command,
        MAP_CREATE
            | PROGRAM_LOAD
            | PIN
            | GET_PINNED
            | ATTACH
            | DETACH
            | PROGRAM_BY_ID
            | MAP_BY_ID
            | RAW_TRACEPOINT
            | LINK_CREATE
            | LINK_UPDATE
            | LINK_BY_ID
            | STATISTICS
            | LINK_DETACH
    );
    let of_map = command < 64 && CONTENT >> command & 1 == 1;
    if told || of_map {
        commanded(command, given.second(), call::answer(&context), of_map);
    }
    0
}

#[inline(always)]
fn commanded(command: u32, attributes: u64, result: i32, content: bool) -> Option<()> {
    let mut body = Bpf {
        command,
        result,
        id: 0,
        program_type: 0,
        attach_type: 0,
        instructions: 0,
        place: 0,
        reserved: 0,
        name: [0; 16],
    };
    let at = |offset: u64| read::user_or_zero::<u32>(attributes + offset);
    let own = match command {
        PROGRAM_LOAD => {
            body.program_type = at(0);
            body.instructions = at(4);
            body.name = read::user(attributes + 48).unwrap_or([0; 16]);
            body.attach_type = at(68);
            program(result, &mut body)
        }
        MAP_CREATE => {
            body.name = read::user(attributes + 28).unwrap_or([0; 16]);
            map(result, &mut body)
        }
        ATTACH | DETACH => {
            body.place = at(0);
            body.attach_type = at(8);
            program(at(4) as i32, &mut body)
        }
        LINK_CREATE => {
            body.place = at(4);
            body.attach_type = at(8);
            program(at(0) as i32, &mut body)
        }
        RAW_TRACEPOINT => program(at(8) as i32, &mut body),
        PROGRAM_BY_ID => {
            body.id = at(0);
            program(result, &mut body) | is_own(own::PROGRAM, body.id)
        }
        MAP_BY_ID => {
            body.id = at(0);
            map(result, &mut body) | is_own(own::MAP, body.id)
        }
        LINK_BY_ID => {
            body.id = at(0);
            link(result, &mut body)
        }
        LINK_UPDATE | LINK_DETACH => link(at(0) as i32, &mut body),
        // A descriptor of which nobody here knows whether it is a program, a map or a link.
        PIN | GET_PINNED | STATISTICS => false,
        _ => map(at(0) as i32, &mut body),
    };
    if (content && !own) || filter::excluded(Class::Kernel) {
        return None;
    }
    guard::plain(Class::Kernel, Kind::Bpf, if own { flag::TAMPER } else { 0 }, body);
    Some(())
}

#[inline(always)]
fn is_own(what: u64, id: u32) -> bool {
    OWN.get_ptr(what << 32 | u64::from(id)).is_some()
}

/// What a descriptor of the kind leads to.
#[inline(always)]
fn behind(descriptor: i32) -> Option<u64> {
    read::pointer(call::file(descriptor)?, offset!(file_private_data))
}

/// A program by its descriptor: fills in what the kernel knows of it. Whether it is the agent's.
#[inline(always)]
fn program(descriptor: i32, body: &mut Bpf) -> bool {
    behind(descriptor).and_then(|program| of_program(program, body)).unwrap_or(false)
}

#[inline(always)]
fn of_program(program: u64, body: &mut Bpf) -> Option<bool> {
    let aux = read::pointer(program, offset!(bpf_program_aux))?;
    body.id = read::field(aux, offset!(bpf_aux_id))?;
    body.name = read::field(aux, offset!(bpf_aux_name))?;
    body.program_type = read::field(program, offset!(bpf_program_type))?;
    if body.attach_type == 0 {
        body.attach_type = read::field(program, offset!(bpf_program_attach_type))?;
    }
    Some(is_own(own::PROGRAM, body.id))
}

#[inline(always)]
fn map(descriptor: i32, body: &mut Bpf) -> bool {
    let found = behind(descriptor).and_then(|map| {
        body.name = read::field(map, offset!(bpf_map_name))?;
        read::field(map, offset!(bpf_map_id))
    });
    let Some(id) = found else { return false };
    body.id = id;
    is_own(own::MAP, id)
}

/// A link is the agent's if its program is.
#[inline(always)]
fn link(descriptor: i32, body: &mut Bpf) -> bool {
    let found = behind(descriptor).and_then(|link| {
        let own = of_program(read::pointer(link, offset!(bpf_link_program))?, body)?;
        body.id = read::field(link, offset!(bpf_link_id))?;
        Some(own)
    });
    found.unwrap_or(false)
}
