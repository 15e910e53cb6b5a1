//! Which fields of the kernel's structures each program reads. Takes the object and looks in its instructions; gives them by program.
//! Kept by nobody's hand, so that it cannot say less than what the programs do: asked only where this kernel lacks a field.
//!
//! An offset is read in one way only: the address of the table comes as a constant, and a load from it takes a field's place. The
//! address is followed through every register and branch. A field behind a branch that this kernel never takes counts as read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aya::EbpfError;
use aya_obj::Object;
use aya_obj::generated::bpf_insn;
use ebpf_common::Offsets;
use zerocopy::IntoBytes;

/// Bytes of one offset.
const WIDTH: usize = 4;
const REGISTERS: usize = 11;

/// A constant of 64 bits, which takes two instructions.
const CONSTANT: u8 = 0x18;
/// What such a constant is: an address in a map's value, or a function.
const IN_MAP: u8 = 2;
const FUNCTION: u8 = 4;
/// Copies a register; adds a constant to one.
const COPY: u8 = 0xbf;
const ADD: u8 = 0x07;
const CALL: u8 = 0x85;
/// A call of a function of the object.
const OF_OURS: u8 = 1;
const EXIT: u8 = 0x95;
const JUMP: u8 = 0x05;
const LONG_JUMP: u8 = 0x06;

/// The register by which a function finds its stack; puts a register there, and takes it back.
const STACK: u8 = 10;
const PUT: u8 = 0x7b;
const TAKE: u8 = 0x79;

/// What a register or a place of the stack may hold: places in the table of offsets.
type Places = BTreeSet<usize>;

/// Before an instruction.
#[derive(Clone, Default)]
struct State {
    registers: [Places; REGISTERS],
    stack: BTreeMap<i16, Places>,
}

/// What a program reads, itself and by what it calls.
#[derive(Default)]
pub(super) struct Reads {
    /// The numbers of the fields.
    pub(super) fields: BTreeSet<usize>,
    /// Instructions by which an address of the table goes where it cannot be followed; none in the object that is built here.
    put_away: Vec<usize>,
}

/// What each program of the object reads.
pub(super) fn of(object: &[u8]) -> Result<BTreeMap<String, Reads>, EbpfError> {
    let mut object = Object::parse(object)?;
    // Each field holds its own number: so the table is found among the constants.
    let numbers: Vec<u32> = (1..).take(Offsets::FIELDS.len()).collect();
    object.patch_map_data(HashMap::from([("OFFSETS", (numbers.as_bytes(), true))]))?;
    let maps = std::mem::take(&mut object.maps);
    let table = (0..).zip(maps.values()).find_map(|(number, map)| {
        let start = map.data().windows(numbers.len() * WIDTH).position(|bytes| bytes == numbers.as_bytes())?;
        Some(Table { map: number, start, end: start + numbers.len() * WIDTH })
    });
    let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    object.relocate_maps((0..).zip(&maps).map(|(number, (name, map))| (name.as_str(), number, map)), &text)?;
    object.relocate_calls(&text)?;
    let table = table.expect("the table of offsets is a constant of the object");
    let read = |program: &aya_obj::Program| {
        let function = object.functions.get(&program.function_key());
        function.map(|function| reads(&function.instructions, &table)).unwrap_or_default()
    };
    Ok(object.programs.iter().map(|(name, program)| (name.clone(), read(program))).collect())
}

/// Where the offsets are.
struct Table {
    /// In this map, by the number that it got here.
    map: i32,
    /// From this place in its value.
    start: usize,
    end: usize,
}

impl Table {
    fn place(&self, at: i64) -> Option<usize> {
        usize::try_from(at).ok().filter(|at| (self.start..self.end).contains(at))
    }

    /// The places that these become, so many bytes further.
    fn moved(&self, places: &Places, by: i64) -> Places {
        places.iter().filter_map(|place| self.place(i64::try_from(*place).ok()?.checked_add(by)?)).collect()
    }
}

/// What these instructions read.
fn reads(instructions: &[bpf_insn], table: &Table) -> Reads {
    let mut found = Reads::default();
    let mut states: Vec<Option<State>> = vec![None; instructions.len()];
    let mut waiting: Vec<(usize, State)> = entries(instructions).map(|entry| (entry, State::default())).collect();
    while let Some((at, state)) = waiting.pop() {
        let (Some(&instruction), Some(known)) = (instructions.get(at), states.get_mut(at)) else { continue };
        if !joined(known, &state) {
            continue;
        }
        let mut state = known.clone().unwrap_or_default();
        let from = usize::from(instruction.src_reg());
        // An address is stored whole or not at all: the verifier sees to that.
        let is_lost = instruction.code == PUT && instruction.dst_reg() != STACK;
        if instruction.code & 7 == 1
            && let Some(places) = state.registers.get(from)
        {
            let read = table.moved(places, instruction.off.into());
            found.fields.extend(read.into_iter().map(|place| (place - table.start) / WIDTH));
        }
        if is_lost && state.registers.get(from).is_some_and(|places| !places.is_empty()) {
            found.put_away.push(at);
        }
        let second = instructions.get(at + 1).map_or(0, |next| next.imm);
        step(&mut state, instruction, second, table);
        waiting.extend(next(at, instruction).into_iter().map(|next| (next, state.clone())));
    }
    found
}

/// Adds what is known on one more way to an instruction; says whether anything is new.
fn joined(known: &mut Option<State>, more: &State) -> bool {
    let Some(known) = known else {
        *known = Some(more.clone());
        return true;
    };
    let mut grew = false;
    let mut join = |known: &mut Places, more: &Places| {
        for place in more {
            grew |= known.insert(*place);
        }
    };
    for (known, more) in known.registers.iter_mut().zip(&more.registers) {
        join(known, more);
    }
    for (at, more) in &more.stack {
        join(known.stack.entry(*at).or_default(), more);
    }
    grew
}

/// Where the program and each function in it begin.
fn entries(instructions: &[bpf_insn]) -> impl Iterator<Item = usize> {
    let called = instructions.iter().enumerate().filter_map(|(at, instruction)| {
        let ours = instruction.code == CALL && instruction.src_reg() == OF_OURS
            || instruction.code == CONSTANT && instruction.src_reg() == FUNCTION;
        ours.then(|| further(at, instruction.imm)).flatten()
    });
    called.chain([0])
}

/// The registers and the stack after an instruction.
fn step(state: &mut State, instruction: bpf_insn, second: i32, table: &Table) {
    let (to, from) = (usize::from(instruction.dst_reg()), usize::from(instruction.src_reg()));
    let held = |state: &State, register: usize| state.registers.get(register).cloned().unwrap_or_default();
    let places = match instruction.code {
        CALL => {
            state.registers.iter_mut().take(6).for_each(Places::clear);
            return;
        }
        CONSTANT if instruction.src_reg() == IN_MAP && instruction.imm == table.map => {
            table.place(second.into()).into_iter().collect()
        }
        COPY => held(state, from),
        ADD => table.moved(&held(state, to), instruction.imm.into()),
        TAKE if instruction.src_reg() == STACK => state.stack.get(&instruction.off).cloned().unwrap_or_default(),
        PUT if instruction.dst_reg() == STACK => {
            state.stack.insert(instruction.off, held(state, from));
            return;
        }
        // Stores and jumps write no register.
        code if matches!(code & 7, 2 | 3 | 5 | 6) => return,
        _ => Places::new(),
    };
    if let Some(register) = state.registers.get_mut(to) {
        *register = places;
    }
}

/// What may run after an instruction.
fn next(at: usize, instruction: bpf_insn) -> Vec<usize> {
    let branch = further(at, instruction.off.into());
    match instruction.code {
        EXIT => Vec::new(),
        JUMP => branch.into_iter().collect(),
        LONG_JUMP => further(at, instruction.imm).into_iter().collect(),
        CONSTANT => vec![at + 2],
        CALL => vec![at + 1],
        code if matches!(code & 7, 5 | 6) => branch.into_iter().chain([at + 1]).collect(),
        _ => vec![at + 1],
    }
}

/// Jumps count from the next instruction.
fn further(at: usize, by: i32) -> Option<usize> {
    (at + 1).checked_add_signed(isize::try_from(by).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction(code: u8, to: u8, from: u8, off: i16, imm: i32) -> bpf_insn {
        let registers = aya_obj::generated::bpf_insn::new_bitfield_1(to, from);
        bpf_insn { code, _bitfield_align_1: [], _bitfield_1: registers, off, imm }
    }

    fn address(to: u8, at: i32) -> [bpf_insn; 2] {
        [instruction(CONSTANT, to, IN_MAP, 0, 7), instruction(0, 0, 0, 0, at)]
    }

    /// What a program reads of a table of four fields, at the eighth byte of map 7.
    fn check(program: &[&[bpf_insn]]) -> Vec<usize> {
        let table = Table { map: 7, start: 8, end: 24 };
        let found = reads(&program.concat(), &table);
        assert_eq!(found.put_away, Vec::<usize>::new());
        found.fields.into_iter().collect()
    }

    const LOAD: u8 = 0x61;

    #[test]
    fn a_field_is_read_by_its_place_through_copies_and_sums() {
        let direct = [instruction(LOAD, 2, 1, 4, 0)];
        assert_eq!(check(&[&address(1, 8), &direct, &[instruction(EXIT, 0, 0, 0, 0)]]), [1]);
        let copied = [instruction(COPY, 6, 1, 0, 0), instruction(ADD, 6, 0, 0, 8), instruction(LOAD, 2, 6, 4, 0)];
        assert_eq!(check(&[&address(1, 8), &copied]), [3]);
        let overwritten = [instruction(0xb7, 1, 0, 0, 0), instruction(LOAD, 2, 1, 4, 0)];
        assert_eq!(check(&[&address(1, 8), &overwritten]), Vec::<usize>::new());
        assert_eq!(check(&[&address(1, 0), &direct]), Vec::<usize>::new(), "a constant before the table");
    }

    #[test]
    fn an_address_is_followed_through_the_stack() {
        let put = [instruction(PUT, STACK, 1, -8, 0)];
        let taken = [instruction(TAKE, 3, STACK, -8, 0), instruction(LOAD, 2, 3, 4, 0)];
        assert_eq!(check(&[&address(1, 8), &put, &taken]), [1]);
        let other = [instruction(PUT, STACK, 5, -8, 0)];
        assert_eq!(check(&[&address(1, 8), &put, &other, &taken]), Vec::<usize>::new());
    }

    #[test]
    fn an_address_is_followed_along_both_ways_of_a_branch_and_into_functions() {
        // If r3 is zero the constant is skipped, and the load then reads another one.
        let branch = [instruction(0x15, 3, 0, 2, 0)];
        let load = [instruction(LOAD, 2, 1, 0, 0), instruction(EXIT, 0, 0, 0, 0)];
        assert_eq!(check(&[&address(1, 8), &branch, &address(1, 12), &load]), [0, 1]);
        let call = [instruction(CALL, 0, OF_OURS, 0, 1), instruction(EXIT, 0, 0, 0, 0)];
        assert_eq!(check(&[&call, &address(1, 20), &load]), [3]);
        let forgets = [instruction(CALL, 0, 0, 0, 14)];
        assert_eq!(check(&[&address(1, 8), &forgets, &load]), Vec::<usize>::new());
    }

    #[test]
    fn every_program_of_the_object_is_followed_to_each_field_that_it_reads() {
        let needs = of(super::super::load::OBJECT).expect("our own object");
        let names = |program: &str| -> BTreeSet<String> {
            let found = needs.get(program).expect("a program of the object");
            let named = found.fields.iter().map(|number| &Offsets::FIELDS[*number]);
            named.map(|field| format!("{}.{}", field.structure, field.member)).collect()
        };
        assert!(names("inet_sock_set_state").contains("inet_sock.inet_sport"));
        assert!(!names("sched_process_exec").contains("inet_sock.inet_sport"));
        for program in ["sched_process_exec", "sched_process_fork", "sched_process_exit"] {
            assert!(names(program).contains("task_struct.tgid"), "{program}");
        }
        for (program, found) in &needs {
            assert!(found.put_away.is_empty(), "{program} puts an address away at {:?}", found.put_away);
        }
        let read: BTreeSet<usize> = needs.values().flat_map(|found| &found.fields).copied().collect();
        let unread: Vec<_> = (0..Offsets::FIELDS.len()).filter(|field| !read.contains(field)).collect();
        let unread: Vec<_> = unread.into_iter().map(|field| Offsets::FIELDS[field]).collect();
        assert!(unread.is_empty(), "fields that no program reads: {unread:?}");
    }
}
